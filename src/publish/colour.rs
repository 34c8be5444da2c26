//! The company's colour, moved as far as it takes to be read on the page's grounds (WCAG 2, AA).

/// Contrast of text that everybody can read.
const READABLE: f64 = 4.5;
/// The page's grounds and cards, as in `templates/page.css`.
const LIGHT: [&str; 2] = ["#fafaf7", "#ffffff"];
const DARK: [&str; 2] = ["#12171b", "#1a2126"];

/// A colour by its red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rgb([f64; 3]);

impl Rgb {
    /// `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let channel = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([channel(0)?, channel(2)?, channel(4)?].map(f64::from)))
    }

    fn text(self) -> String {
        let [red, green, blue] = self.0.map(|channel| channel.round() as u8);
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    fn mixed(self, other: Self, share: f64) -> Self {
        let mut out = self.0;
        for (channel, other) in out.iter_mut().zip(other.0) {
            *channel += (other - *channel) * share;
        }
        Self(out)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = channel.round() / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The first on the way from here to `end` that is readable on all `grounds`.
    fn readable(self, end: Self, grounds: &[Self]) -> Self {
        (0..=20)
            .map(|step| self.mixed(end, f64::from(step) / 20.0))
            .find(|colour| grounds.iter().all(|ground| colour.contrast(*ground) >= READABLE))
            .unwrap_or(end)
    }
}

/// CSS that gives the page this colour; `None` for what is no `#rrggbb`.
pub fn css(colour: &str) -> Option<String> {
    let wanted = Rgb::parse(colour)?;
    let [black, white] = [Rgb([0.0; 3]), Rgb([255.0; 3])];
    let palette = |end: Rgb, grounds: [&str; 2], hatch: f64| {
        let grounds = grounds.map(|ground| Rgb::parse(ground).unwrap_or(white));
        let accent = wanted.readable(end, &grounds);
        let hatch = grounds[0].mixed(accent, hatch);
        format!(":root {{ --accent: {}; --hatch: {}; }}", accent.text(), hatch.text())
    };
    let (light, dark) = (palette(black, LIGHT, 0.12), palette(white, DARK, 0.12));
    Some(format!(
        "@media screen {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_colour_becomes_one_that_can_be_read() {
        for wanted in ["#ffff00", "#000000", "#ffffff", "#14568a", "#e2001a", "#7f7f7f", "#00ff00"]
        {
            let css = css(wanted).unwrap();
            let found: Vec<Rgb> =
                css.split(": ").filter_map(|rest| Rgb::parse(rest.get(..7)?)).collect();
            let [light, light_hatch, dark, dark_hatch] = found[..] else { panic!("{css}") };
            for (colour, hatch, grounds) in [(light, light_hatch, LIGHT), (dark, dark_hatch, DARK)]
            {
                for ground in grounds {
                    let ratio = colour.contrast(Rgb::parse(ground).unwrap());
                    assert!(ratio >= READABLE, "{wanted} on {ground}: {ratio:.2}");
                }
                assert!(colour.contrast(hatch) >= 3.0, "{wanted}: {css}");
            }
        }
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        assert!(css("#14568a").unwrap().contains("--accent: #14568a;"));
        assert_eq!(css("blue"), None);
        assert_eq!(css("#12345é"), None);
    }
}
