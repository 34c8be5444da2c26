//! A knock: does an sshd answer there, without a login being tried?
//!
//! A TCP connection is opened, what the other side says first is read, and it is closed. While a
//! port is shut no sshd hears of it. One that answers counts a connection without a login against
//! us, so nobody knocks again where a knock was answered: the next thing there is a login.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For a connection to come about: a way that loses packets needs one or two tries more.
const CONNECT: Duration = Duration::from_secs(5);
/// For the first words; an sshd says them at once, unless it looks the caller's name up before.
const FIRST_WORDS: Duration = Duration::from_secs(5);
/// What an sshd says first (RFC 4253, section 4.2).
const SSH: &[u8] = b"SSH-";

/// What came of a knock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// An sshd said what it is.
    Greeting,
    /// Somebody took the connection and said nothing, or nothing that an sshd says.
    NoGreeting,
    /// The machine, or something in front of it, said no.
    Refused,
    /// No answer at all.
    Nothing,
    /// It could not even be asked: this side has no way there, or does not know the name.
    NoWay,
}

/// Knocks at `address`, a name or an address.
pub async fn knock(address: &str, port: u16) -> Heard {
    let mut stream = match timeout(CONNECT, TcpStream::connect((address, port))).await {
        Err(_) => return Heard::Nothing,
        Ok(Err(error)) => return of(error.kind()),
        Ok(Ok(stream)) => stream,
    };
    let mut words = [0; SSH.len()];
    match timeout(FIRST_WORDS, stream.read_exact(&mut words)).await {
        Ok(Ok(_)) if words == SSH => Heard::Greeting,
        _ => Heard::NoGreeting,
    }
}

fn of(kind: ErrorKind) -> Heard {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Heard::Refused,
        // A router on the way may say "unreachable" too: nobody is there to answer.
        ErrorKind::TimedOut | ErrorKind::HostUnreachable => Heard::Nothing,
        _ => Heard::NoWay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    /// Knocks where somebody says `words` and hangs up.
    async fn at_somebody_who_says(words: &'static [u8]) -> Heard {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, ()) = tokio::join!(knock("127.0.0.1", port), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words).await.unwrap();
        });
        heard
    }

    #[tokio::test]
    async fn only_an_sshd_has_answered() {
        assert_eq!(at_somebody_who_says(b"SSH-2.0-OpenSSH_9.2\r\n").await, Heard::Greeting);
        for words in [b"".as_slice(), b"SS", b"HTTP/1.1 400 Bad Request\r\n"] {
            assert_eq!(at_somebody_who_says(words).await, Heard::NoGreeting);
        }
    }

    #[tokio::test]
    async fn a_shut_port_and_a_name_nobody_knows_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(knock("127.0.0.1", port).await, Heard::Refused);
        assert_eq!(knock("no-such-host.invalid", 22).await, Heard::NoWay);
    }
}
