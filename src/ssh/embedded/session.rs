//! One client's session: who may in, which channels are open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use tokio::sync::watch;

use super::Host;
use super::command::run;
use super::doors::AtTheDoor;

/// Channels of one client; more than any of ours opens.
const CHANNELS_MAX: usize = 64;

pub(super) struct Session {
    host: Arc<Host>,
    /// Opened, with nothing run in them yet.
    waiting: HashMap<ChannelId, Channel<Msg>>,
    /// Fails when the connection is over, even while a command takes nothing.
    gone: watch::Receiver<()>,
    /// As long as it is not logged in.
    at_the_door: Option<AtTheDoor>,
}

impl Session {
    pub(super) fn new(host: Arc<Host>, gone: watch::Receiver<()>, at_the_door: AtTheDoor) -> Self {
        Self { host, waiting: HashMap::new(), gone, at_the_door: Some(at_the_door) }
    }

    fn judge(&self, key: &russh::keys::PublicKey) -> Auth {
        let known = key.key_data() == self.host.options.authorized.key_data();
        if known && !*self.host.faults.refuses.borrow() { Auth::Accept } else { Auth::reject() }
    }
}

impl Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn auth_succeeded(
        &mut self,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        self.at_the_door = None;
        self.host.faults.logins.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        if self.waiting.len() < CHANNELS_MAX {
            self.waiting.insert(channel.id(), channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let Some(channel) = self.waiting.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let (host, gone) = (Arc::clone(&self.host), self.gone.clone());
        tokio::spawn(run(host, session.handle(), channel, command.to_vec(), gone));
        Ok(())
    }
}
