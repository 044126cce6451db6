//! A way to a server on which things go wrong: an HTTP proxy that breaks what a test asks it to.
//!
//! It speaks plain HTTP/1.1 as stores do, reads a whole answer before it hands it on, and knows
//! nothing of what is asked: so what is signed stays as it was signed.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection breaks after so many bytes of the body, which had been promised in full.
    Cut(usize),
    /// The body ends after so many bytes, and says that this is all of it.
    Short(usize),
    /// The server is not asked: this status, seconds to wait for, and this body.
    Status(u16, Option<u64>, String),
    /// Its ETag is another one.
    Etag(String),
    /// It comes in pieces of so many bytes, with a pause before each.
    Slow(usize, Duration),
    /// A text in its body is another one of the same or another length.
    Replace(String, String),
}

/// Which answers it befalls.
struct Rule {
    /// Texts that the first line of the request holds, all of them.
    holds: Vec<String>,
    fault: Fault,
    /// Answers that go well before.
    skip: usize,
    /// How many of them.
    times: usize,
}

#[derive(Default)]
struct State {
    rules: VecDeque<Rule>,
    seen: Vec<String>,
}

/// A proxy.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

/// Serves every client of a port of its own, each on a thread, for as long as what is returned with
/// the port lives.
pub(crate) fn listening<S: Default + Send + Sync + 'static>(
    upstream: u16,
    serve: fn(TcpStream, u16, &S) -> io::Result<()>,
) -> io::Result<(u16, Arc<S>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let state = Arc::<S>::default();
    let weak = Arc::downgrade(&state);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Some(state) = weak.upgrade() else { return };
            // A client that leaves is no failure of a proxy.
            std::thread::spawn(move || _ = serve(client, upstream, &state));
        }
    });
    Ok((port, state))
}

impl Proxy {
    /// A proxy in front of the server at a port of this machine.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn new(upstream: u16) -> io::Result<Self> {
        let (port, state) = listening(upstream, serve)?;
        Ok(Self { port, state })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on, so many answers to requests whose first line holds all these texts go wrong,
    /// once `skip` of them went well.
    pub fn befall(&self, holds: &[&str], fault: Fault, skip: usize, times: usize) {
        let holds = holds.iter().map(|text| (*text).to_owned()).collect();
        self.state().rules.push_back(Rule { holds, fault, skip, times });
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state().rules.clear();
    }

    /// Whether all that was to go wrong a bounded number of times did.
    pub fn is_through(&self) -> bool {
        self.state().rules.iter().all(|rule| rule.times == 0)
    }

    /// The first lines of all requests since this was asked last.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state().seen)
    }
}

/// A line without percent signs: each client writes names with others of them.
fn plain(line: &str) -> String {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let decoded = digits.and_then(|two| std::str::from_utf8(two).ok());
        let decoded = decoded.and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The next request's fault, if it has one.
fn fault_of(state: &Mutex<State>, line: &str) -> Option<Fault> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.seen.push(line.trim_end().to_owned());
    let fits = |rule: &&mut Rule| rule.times > 0 && rule.holds.iter().all(|t| line.contains(t));
    let rule = state.rules.iter_mut().find(fits)?;
    if rule.skip > 0 {
        rule.skip -= 1;
        return None;
    }
    rule.times -= 1;
    Some(rule.fault.clone())
}

fn serve(client: TcpStream, upstream: u16, state: &Mutex<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut requests = BufReader::new(client.try_clone()?);
    let mut answers = client;
    while let Some((head, body)) = message(&mut requests, None)? {
        let line = plain(head.lines().next().unwrap_or_default());
        let fault = fault_of(state, &line);
        if let Some(Fault::Status(status, after, text)) = &fault {
            let after = after.map_or_else(String::new, |s| format!("Retry-After: {s}\r\n"));
            let length = text.len();
            let head = format!("HTTP/1.1 {status} Bad\r\n{after}Content-Length: {length}\r\n\r\n");
            answers.write_all((head + text).as_bytes())?;
            continue;
        }
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
        server.set_nodelay(true)?;
        server.write_all(head.as_bytes())?;
        server.write_all(&body)?;
        let mut server = BufReader::new(server);
        let Some(answer) = message(&mut server, Some(&line))? else { return Ok(()) };
        if !hand_on(&mut answers, answer, fault)? {
            return answers.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

/// Hands an answer on; false: the connection is to break.
fn hand_on(
    to: &mut TcpStream,
    (mut head, mut body): (String, Vec<u8>),
    fault: Option<Fault>,
) -> io::Result<bool> {
    match fault {
        None | Some(Fault::Status(..)) => {}
        Some(Fault::Cut(after)) => {
            to.write_all(head.as_bytes())?;
            to.write_all(&body[..after.min(body.len())])?;
            return Ok(false);
        }
        Some(Fault::Short(after)) => {
            body.truncate(after);
            head = with(&head, "content-length", &body.len().to_string());
        }
        Some(Fault::Etag(other)) => head = with(&head, "etag", &other),
        Some(Fault::Replace(from, other)) => {
            body = String::from_utf8_lossy(&body).replace(&from, &other).into_bytes();
            head = with(&head, "content-length", &body.len().to_string());
        }
        Some(Fault::Slow(bytes, pause)) => {
            to.write_all(head.as_bytes())?;
            for piece in body.chunks(bytes.max(1)) {
                std::thread::sleep(pause);
                to.write_all(piece)?;
            }
            return Ok(true);
        }
    }
    to.write_all(head.as_bytes())?;
    to.write_all(&body)?;
    Ok(true)
}

/// A head with another value of a field that it has.
fn with(head: &str, name: &str, value: &str) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some((field, _)) if field.eq_ignore_ascii_case(name) => format!("{field}: {value}\r\n"),
        _ => format!("{line}\r\n"),
    };
    head.trim_end().lines().map(line).collect::<String>() + "\r\n"
}

/// The next message, head and body; none: there is no other. `answers`: the first line of the
/// request that it answers.
fn message(
    from: &mut BufReader<TcpStream>,
    answers: Option<&str>,
) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let field = |name: &str| {
        let of = |line: &str| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().skip(1).find_map(of)
    };
    let has_none = answers.is_some_and(|line| line.starts_with("HEAD "))
        || [" 204 ", " 304 "].iter().any(|s| head.lines().next().is_some_and(|l| l.contains(s)));
    let mut body = Vec::new();
    if has_none {
        return Ok(Some((head, body)));
    }
    if field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            body.extend_from_slice(line.as_bytes());
            let bytes = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; bytes + 2];
            from.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk);
            if bytes == 0 {
                return Ok(Some((head, body)));
            }
        }
    }
    let length = field("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    body.resize(length, 0);
    from.read_exact(&mut body)?;
    Ok(Some((head, body)))
}
