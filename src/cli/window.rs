//! `evac window closes TIME`: what people hear of the end of the window, for whoever comes after.

use serde::Serialize;

use crate::cli::args::WindowArgs;
use crate::cli::{Exit, Failure, Global, hands, print};
use crate::inventory::{Settings, tell_end};
use crate::ledger::{Ledger, ToldWindow};
use crate::model::{Event, Timestamp};
use crate::run::control::{Ask, Said};

#[derive(Serialize)]
struct Document {
    schema: u32,
    was: Option<Timestamp>,
    closes: Timestamp,
    hard: bool,
    running: bool,
}

/// Says when the window closes.
pub fn run(global: &Global, args: &WindowArgs) -> Result<Exit, Failure> {
    global.load_settings()?;
    let (closes, hard) = (args.at, args.hard);
    let ask = Ask::Window { closes, hard };
    let heard = hands::say(global, &ask, |ledger| {
        let was = ledger.told_window()?.map(|told| told.closes);
        let by = global.by.clone();
        ledger.append(&Event::WindowSet { was, closes, hard, by }, &global.by)?;
        Ok(Said::Window { was, closes, hard })
    })?;
    let Said::Window { was, .. } = heard.said else {
        return Err(hands::astray());
    };
    let running = heard.by_run;
    if global.json {
        print::document(&Document { schema: 1, was, closes, hard, running })?;
    } else {
        print::result(&sentence(closes, hard, running, global.now()))?;
    }
    Ok(Exit::Done)
}

fn sentence(closes: Timestamp, hard: bool, running: bool, now: Timestamp) -> String {
    let then = match (hard, running) {
        (true, true) if closes <= now => "the run ends now",
        (true, true) => "the run stops then",
        (true, false) => "a run ends then",
        (false, _) => "plans and estimates go by it, runs copy on as long as hosts answer",
    };
    format!("the window closes {closes}: {then}\n")
}

/// Makes `settings` say what was told last: of the window that had opened by then.
pub fn heed(settings: &mut Settings, ledger: &Ledger) -> Result<(), Failure> {
    if let Some(ToldWindow { closes, hard }) = ledger.told_window()? {
        tell_end(&mut settings.windows, closes, hard);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Origin, Window};

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + hour * 3_600)
    }

    fn window(opens: Option<i64>, closes: Option<i64>) -> Window {
        let origin = Origin { file: "evac.toml".into(), line: 1 };
        Window { opens: opens.map(at), closes: closes.map(at), hard: false, origin }
    }

    #[test]
    fn what_is_told_is_of_the_window_that_had_opened() {
        let check = |mut windows: Vec<Window>, expected: &[(Option<i64>, i64)]| {
            tell_end(&mut windows, at(5), true);
            let ends: Vec<_> = windows.iter().map(|it| (it.opens, it.closes)).collect();
            let expected: Vec<_> =
                expected.iter().map(|(opens, closes)| (opens.map(at), Some(at(*closes)))).collect();
            assert_eq!(ends, expected);
        };
        check(vec![], &[(None, 5)]);
        check(vec![window(None, None)], &[(None, 5)]);
        check(vec![window(Some(0), Some(3))], &[(Some(0), 5)]);
        check(
            vec![window(Some(0), Some(3)), window(Some(24), Some(30))],
            &[(Some(0), 5), (Some(24), 30)],
        );
        check(vec![window(Some(24), Some(30))], &[(None, 5), (Some(24), 30)]);
        check(
            vec![window(Some(24), Some(30)), window(Some(0), Some(3))],
            &[(Some(24), 30), (Some(0), 5)],
        );
    }
}
