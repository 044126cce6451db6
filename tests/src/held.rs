//! A way to a Kafka on which the end of a transaction is held up, and delivered when a later one is
//! under way: what a network may do, and what broke exactly-once for others.

use crate::proxy::listening;
use anyhow::{Context as _, Result};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// EndTxn, by its number in Kafka's protocol.
const END_OF_TRANSACTION: i16 = 26;

/// Whoever is waited for comes long before that.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy that hands on requests and answers as they are.
pub struct Held {
    /// Where it listens.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    holds: bool,
    /// A request that is held up, and the connection on which it goes on.
    held: Option<(Vec<u8>, TcpStream)>,
}

impl Held {
    /// In front of whatever listens at a port of this machine, now or later.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn new(upstream: u16) -> Result<Self> {
        let (port, state) = listening(upstream, serve)?;
        Ok(Self { port, state })
    }

    /// Holds up the next end of a transaction, and breaks the connection on which it came.
    pub fn hold(&self) {
        lock(&self.state).holds = true;
    }

    /// Waits until one is held up.
    ///
    /// # Errors
    /// When none comes.
    pub fn wait(&self) -> Result<()> {
        let since = Instant::now();
        while lock(&self.state).held.is_none() {
            anyhow::ensure!(since.elapsed() < PATIENCE, "no transaction ends");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Delivers it, and gives the code of the broker's answer.
    ///
    /// # Errors
    /// When none is held up, or there is no answer.
    pub fn deliver(&self) -> Result<i16> {
        let held = lock(&self.state).held.take();
        let (frame, mut upstream) = held.context("nothing is held up")?;
        upstream.write_all(&frame)?;
        let answer = frame_of(&mut upstream)?.context("no answer")?;
        // Length, number of the request, tags of a flexible header, time to wait, code.
        let is_flexible = i16::from_be_bytes([frame[6], frame[7]]) >= 3;
        let at = 4 + 4 + usize::from(is_flexible) + 4;
        Ok(i16::from_be_bytes([answer[at], answer[at + 1]]))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request or an answer with its length in front; none: nothing more comes.
fn frame_of(from: &mut impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if let Err(error) = from.read_exact(&mut length) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(None),
            _ => Err(error),
        };
    }
    let mut frame = length.to_vec();
    from.take(u64::from(u32::from_be_bytes(length))).read_to_end(&mut frame)?;
    Ok(Some(frame))
}

fn serve(client: TcpStream, upstream: u16, state: &Mutex<State>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let (mut requests, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let is_held = Arc::new(Mutex::new(false));
    let holding = is_held.clone();
    let back = std::thread::spawn(move || {
        loop {
            // Once something is held up here, its answer is of whoever delivers it.
            if *holding.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            let mut bytes = [0; 1];
            match answers.peek(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            if *holding.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            match frame_of(&mut answers) {
                Ok(Some(frame)) if to_client.write_all(&frame).is_ok() => {}
                _ => break,
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
    });
    while let Ok(Some(frame)) = frame_of(&mut requests) {
        let is_end =
            frame.len() > 8 && i16::from_be_bytes([frame[4], frame[5]]) == END_OF_TRANSACTION;
        let mut state = lock(state);
        if is_end && std::mem::take(&mut state.holds) {
            *is_held.lock().unwrap_or_else(PoisonError::into_inner) = true;
            state.held = Some((frame, to_server));
            client.shutdown(Shutdown::Both)?;
            return Ok(());
        }
        drop(state);
        to_server.write_all(&frame)?;
    }
    server.shutdown(Shutdown::Both)?;
    let _ = back.join();
    Ok(())
}
