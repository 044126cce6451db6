//! A way to a Kafka on which the end of a transaction is held up, and delivered when a later one is
//! under way: what a network may do, and what broke exactly-once for others. Or on which nothing
//! goes on from some request or answer on, so that a test can end a worker right there.

use crate::proxy::listening;
use anyhow::{Context as _, Result};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests of a transaction in their order, by their numbers in Kafka's protocol.
pub const OF_TRANSACTION: [(&str, i16); 5] = [
    ("AddPartitionsToTxn", 24),
    ("Produce", 0),
    ("AddOffsetsToTxn", 25),
    ("TxnOffsetCommit", 28),
    ("EndTxn", END_OF_TRANSACTION),
];

const END_OF_TRANSACTION: i16 = 26;

/// When nothing goes on any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has not reached the broker.
    Before,
    /// The broker has done what it asks, and its answer has not reached the client.
    Unanswered,
    /// The client has the answer.
    Answered,
}

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
    stops_at: Option<(i16, Moment)>,
    is_reached: bool,
}

/// Of a connection.
#[derive(Default)]
struct Own {
    is_held: AtomicBool,
    /// The number of the request whose answer is waited for.
    awaited: Mutex<Option<[u8; 4]>>,
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

    /// From the next request of a kind on, or its answer, nothing goes on. What was stopped before
    /// goes on again for who connects anew.
    pub fn stop_at(&self, kind: i16, moment: Moment) {
        let mut state = lock(&self.state);
        (state.stops_at, state.is_reached) = (Some((kind, moment)), false);
    }

    /// Waits until nothing goes on.
    ///
    /// # Errors
    /// When there is no such request.
    pub fn stopped(&self) -> Result<()> {
        self.comes(|state| state.is_reached, "no such request comes")
    }

    /// Everything goes on again.
    pub fn go_on(&self) {
        let mut state = lock(&self.state);
        (state.stops_at, state.is_reached) = (None, false);
    }

    fn comes(&self, what: impl Fn(&State) -> bool, why: &str) -> Result<()> {
        let since = Instant::now();
        while !what(&lock(&self.state)) {
            anyhow::ensure!(since.elapsed() < PATIENCE, "{why}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Waits until one is held up.
    ///
    /// # Errors
    /// When none comes.
    pub fn wait(&self) -> Result<()> {
        self.comes(|state| state.held.is_some(), "no transaction ends")
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
    let (answers, to_client) = (server.try_clone()?, client.try_clone()?);
    let (mut requests, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let own = Own::default();
    std::thread::scope(|scope| {
        let (own, client, server) = (&own, &client, &server);
        scope.spawn(move || {
            let _ = give_back(answers, to_client, own, state);
            let _ = client.shutdown(Shutdown::Both);
        });
        while let Ok(Some(frame)) = frame_of(&mut requests) {
            // The state is looked at and let go of before anything is written.
            let judged = judged(&frame, own, &mut lock(state));
            match judged {
                Judged::GoesOn => to_server.write_all(&frame)?,
                Judged::Held => {
                    lock(state).held = Some((frame, to_server));
                    return client.shutdown(Shutdown::Both);
                }
                Judged::Stopped => break,
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        server.shutdown(Shutdown::Both)
    })
}

/// What becomes of a request.
enum Judged {
    GoesOn,
    Held,
    Stopped,
}

fn judged(frame: &[u8], own: &Own, state: &mut State) -> Judged {
    if state.is_reached {
        return Judged::Stopped;
    }
    let Some(head) = frame.get(4..12) else { return Judged::GoesOn };
    let kind = i16::from_be_bytes([head[0], head[1]]);
    if kind == END_OF_TRANSACTION && std::mem::take(&mut state.holds) {
        own.is_held.store(true, Ordering::SeqCst);
        return Judged::Held;
    }
    match state.stops_at {
        Some((at, Moment::Before)) if at == kind => {
            state.is_reached = true;
            Judged::Stopped
        }
        Some((at, _)) if at == kind => {
            let mut awaited = own.awaited.lock().unwrap_or_else(PoisonError::into_inner);
            awaited.get_or_insert([head[4], head[5], head[6], head[7]]);
            Judged::GoesOn
        }
        _ => Judged::GoesOn,
    }
}

/// Hands on answers until nothing goes on.
fn give_back(
    mut answers: TcpStream,
    mut to_client: TcpStream,
    own: &Own,
    state: &Mutex<State>,
) -> io::Result<()> {
    // Once something is held up here, its answer is of whoever delivers it.
    let is_held = || own.is_held.load(Ordering::SeqCst);
    while !is_held() && answers.peek(&mut [0])? > 0 && !is_held() {
        let Some(frame) = frame_of(&mut answers)? else { return Ok(()) };
        let mut state = lock(state);
        if state.is_reached {
            return Ok(());
        }
        let awaited = *own.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let is_awaited = awaited.is_some_and(|number| frame.get(4..8) == Some(&number[..]));
        let moment = state.stops_at.filter(|_| is_awaited).map(|(_, moment)| moment);
        state.is_reached = moment.is_some();
        if moment != Some(Moment::Unanswered) {
            to_client.write_all(&frame)?;
        }
    }
    Ok(())
}
