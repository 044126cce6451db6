//! The bytes of an object of a store from some byte on, read ahead of whoever takes them.
//!
//! A body that breaks off goes on where it broke, of the same version. How often a store is asked
//! again is bounded for each answer, and a log is read for hours: so whenever some of an object
//! came, it may be asked for again as often; where nothing more comes, it ends with what the store
//! said.

use super::remote::{self, Remote};
use super::{Meta, told};
use crate::limits::{AHEAD_PIECE_BYTES, AHEAD_PIECES};
use bytes::Bytes;
use futures::StreamExt;
use object_store::{Error, GetRange, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What comes of an object.
pub(super) enum Came {
    /// Its next bytes.
    Bytes(Bytes),
    /// It is another version.
    Other(Meta),
    /// The store does not give it.
    Refused(Error),
}

/// Asks for an object from byte `at` on; nothing waits for the answer until somebody takes it.
pub(super) fn start(remote: &Remote, name: &str, meta: &Meta, at: u64) -> Receiver<Came> {
    let (to, from) = channel(AHEAD_PIECES);
    let pump = Pump { remote: remote.clone(), name: name.to_owned(), meta: meta.clone(), at, to };
    remote.spawn(pump.run());
    from
}

struct Pump {
    remote: Remote,
    name: String,
    meta: Meta,
    /// Where the next byte lies.
    at: u64,
    to: Sender<Came>,
}

impl Pump {
    async fn run(mut self) {
        while self.at < self.meta.bytes {
            let before = self.at;
            let came = match self.go_on().await {
                Ok(None) => return,
                Ok(Some(other)) => Came::Other(other),
                Err(error) if self.at > before && told::is_of_the_way(&error) => continue,
                Err(error) => Came::Refused(error),
            };
            // Nobody takes it any more.
            let _ = self.to.send(came).await;
            return;
        }
    }

    /// Hands on what comes, to the end of the answer; gives what the object is by now, if it is
    /// another one.
    async fn go_on(&mut self) -> Result<Option<Meta>> {
        let how = Remote::same(&self.meta, GetRange::Offset(self.at));
        let got = self.remote.store.get_opts(&self.remote.at(&self.name)?, how).await?;
        let now = remote::about(&got.meta);
        if self.meta.difference(&now).is_some() {
            return Ok(Some(now));
        }
        let mut stream = got.into_stream();
        while let Some(mut bytes) = stream.next().await.transpose()? {
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(AHEAD_PIECE_BYTES));
                let length = piece.len() as u64;
                if self.to.send(Came::Bytes(piece)).await.is_err() {
                    return Ok(None);
                }
                self.at += length;
            }
        }
        // An answer that ends early ends what comes; whoever takes it notices.
        Ok(None)
    }
}
