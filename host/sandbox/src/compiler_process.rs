//! Compiling in another process, for components that nobody vouches for: what the compiler may take
//! is bounded there, and whatever ends it ends nothing else.
//!
//! ```text
//! this process                              the other one (`serve`)
//! order --argument-->                       bounds itself, then reads
//! component --stdin-->                      compiles
//! deserialised <--stdout-- artefact         or says on stderr why not
//! ```
//!
//! It bounds what a compilation costs, and outlives a compiler that fails. The other process ends
//! when nobody waits for it, and with this one, however this one ends; what a terminal sends to all
//! that run in it (Ctrl-C) reaches this one alone, which knows what to say. What comes back is
//! native code that will be executed: it is taken from the process that this one started, as it is.

use crate::check;
use crate::compiler::Compiler;
use crate::component::LoadError;
use crate::engine;
use crate::fault::{machine, printable};
use crate::limits::{
    ARTEFACT_MAX_BYTES, COMPILER_MEMORY_BYTES, COMPILER_TIME, COMPONENT_MAX_BYTES,
};
use crate::patience::Patience;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How to start the other process: a program that calls [`serve`] with the argument behind `words`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerProcess {
    /// The program, such as this one.
    pub program: PathBuf,
    /// Arguments by which it knows what is wanted of it.
    pub words: Vec<String>,
    /// Memory that a compilation may take, in bytes.
    pub memory_bytes: u64,
    /// CPU time that it may take, of all of its threads, in whole seconds.
    pub time: Duration,
}

/// Of what it says on stderr so much is read.
const SAID_BYTES: u64 = 4 << 10;

/// Exit code of a process that could not compile.
const REFUSED: i32 = 1;

/// Exit code of one that got no more memory.
const NO_MEMORY: i32 = 2;

impl CompilerProcess {
    /// Within the bounds of [limits](COMPILER_MEMORY_BYTES).
    pub fn new(program: PathBuf, words: Vec<String>) -> Self {
        Self { program, words, memory_bytes: COMPILER_MEMORY_BYTES, time: COMPILER_TIME }
    }

    /// The artefact of a component, for an engine with these settings, as long as there is
    /// `patience`.
    pub(crate) fn compile(
        &self,
        (stack, compiler): (usize, Compiler),
        component: &[u8],
        patience: &Patience<'_>,
    ) -> Result<Vec<u8>, LoadError> {
        let (memory_bytes, seconds) = (self.memory_bytes, self.time.as_secs().max(1));
        let order = Order { memory_bytes, seconds, stack, compiler };
        let mut command = Command::new(&self.program);
        command.args(&self.words).arg(order.text());
        // It needs nothing of what this process knows.
        command.env_clear().current_dir("/");
        // So that a terminal's signals do not end it before this process has heard of them.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LoadError::Process)?;
        let ended = talk(&mut child, component).map_err(LoadError::Process).and_then(|told| {
            let artefact = patience.wait(&told.artefact)?;
            // What it says ends when it does.
            Ok((artefact, patience.wait(&told.said)?.unwrap_or_default()))
        });
        if ended.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(LoadError::Process)?;
        match ended? {
            (Some(artefact), _) if status.success() => Ok(artefact),
            // Whoever ends a service may have ended it, too.
            _ if patience.is_over() => Err(LoadError::Halted),
            (_, said) => Err(self.why(status, &said)),
        }
    }

    /// Why there is no artefact.
    fn why(&self, status: ExitStatus, said: &[u8]) -> LoadError {
        let said = printable(String::from_utf8_lossy(said).trim(), 500);
        let memory = || {
            let mib = self.memory_bytes >> 20;
            LoadError::CompileBound(format!("{mib} MiB of memory"))
        };
        match (status.code(), status.signal()) {
            (Some(NO_MEMORY), _) => memory(),
            // So the standard library ends a process that gets no memory.
            (_, Some(libc::SIGABRT)) if said.contains("memory allocation of ") => memory(),
            (Some(REFUSED), _) => LoadError::Invalid(said),
            (_, Some(libc::SIGXCPU)) => {
                LoadError::CompileBound(format!("{:?} of CPU time", self.time))
            }
            (_, signal) => {
                let how = match said.is_empty() {
                    true => status.to_string(),
                    false => format!("{status}, saying: {said}"),
                };
                let is_killed = signal.is_some();
                if is_killed {
                    LoadError::CompilerKilled(how)
                } else {
                    LoadError::CompilerEnded(how)
                }
            }
        }
    }
}

/// What a process says, each once it has said all.
struct Told {
    artefact: Receiver<Vec<u8>>,
    said: Receiver<Vec<u8>>,
}

/// Gives a process the component, and reads what it says meanwhile: a pipe that nobody empties
/// holds it up.
fn talk(child: &mut Child, component: &[u8]) -> std::io::Result<Told> {
    let component = component.to_vec();
    if let Some(mut stdin) = child.stdin.take() {
        // Who ends before it has read all is told by how it ends.
        thread(move || drop(stdin.write_all(&component)))?;
    }
    let ((artefact_to, artefact), (said_to, said)) = (channel(), channel());
    read(child.stdout.take(), ARTEFACT_MAX_BYTES, artefact_to)?;
    read(child.stderr.take(), SAID_BYTES, said_to)?;
    Ok(Told { artefact, said })
}

fn read(
    pipe: Option<impl Read + Send + 'static>,
    most: u64,
    to: Sender<Vec<u8>>,
) -> std::io::Result<()> {
    let Some(pipe) = pipe else { return Ok(()) };
    thread(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(most).read_to_end(&mut bytes);
        let _ = to.send(bytes);
    })
}

fn thread(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name("retally-compile".into()).spawn(work).map(drop)
}

/// What is asked of the other process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    memory_bytes: u64,
    seconds: u64,
    stack: usize,
    compiler: Compiler,
}

impl Order {
    /// As one argument: four numbers.
    fn text(&self) -> String {
        let Self { memory_bytes, seconds, stack, compiler } = self;
        format!("{memory_bytes},{seconds},{stack},{}", *compiler as u8)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|word| word.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let (memory_bytes, seconds) = (next()?, next()?);
        let stack = usize::try_from(next()?).ok()?;
        let number = next()?;
        let compiler = Compiler::ALL.into_iter().find(|own| *own as u64 == number)?;
        Some(Self { memory_bytes, seconds, stack, compiler })
    }
}

/// The other process: compiles the component that comes from `component` as `order` says and gives
/// the artefact to `artefact`; what cannot be is told to `said`. Returns the exit code.
///
/// It bounds the whole process, so it is called by one that does nothing else.
pub fn serve(
    order: &str,
    component: &mut impl Read,
    artefact: &mut impl Write,
    said: &mut impl Write,
) -> u8 {
    let (code, text) = match compile(order, component) {
        Ok(bytes) => match artefact.write_all(&bytes).and_then(|()| artefact.flush()) {
            Ok(()) => return 0,
            Err(error) => (REFUSED, error.to_string()),
        },
        Err(why) => why,
    };
    let _ = said.write_all(text.as_bytes());
    code as u8
}

fn compile(order: &str, component: &mut impl Read) -> Result<Vec<u8>, (i32, String)> {
    let refused = |why: String| (REFUSED, why);
    let order = Order::parse(order).ok_or_else(|| refused(format!("{order:?} is no order")))?;
    bound(&order).map_err(|error| refused(format!("it cannot be bounded: {error}")))?;
    end_with_parent().map_err(|error| refused(format!("it cannot end in time: {error}")))?;
    let mut bytes = Vec::new();
    let read = component.take(COMPONENT_MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| refused(error.to_string()))?;
    // It was checked before; nobody has to believe that here.
    check::check(&bytes).map_err(|error| refused(error.to_string()))?;
    let failed = |error: wasmtime::Error| match machine(&error) {
        Some(why) => (NO_MEMORY, why),
        None => refused(printable(&format!("{error:#}"), 500)),
    };
    let engine = engine::engine(order.stack, order.compiler).map_err(failed)?;
    engine.precompile_component(&bytes).map_err(failed)
}

/// From here on the process may take no more than this, and leaves no image of its memory behind.
fn bound(order: &Order) -> std::io::Result<()> {
    // Not the address space: of that much is set aside and never touched.
    limit(libc::RLIMIT_DATA, order.memory_bytes, order.memory_bytes)?;
    limit(libc::RLIMIT_CORE, 0, 0)?;
    // The first ends it with a signal that tells why, the second whatever it does.
    limit(libc::RLIMIT_CPU, order.seconds, order.seconds.saturating_add(1))
}

/// From here on the process ends when the one that started it does: nobody is left to take what it
/// makes, and it would go on for as long as its bounds let it.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library ties no process to another")]
fn end_with_parent() -> std::io::Result<()> {
    // SAFETY: it sets a property of this process and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // It may have ended before, of which no signal tells. Its end of the pipe is closed then; the
    // number of the parent would not do where something stands between the two, or one of them is
    // in a namespace of its own.
    let mut pipe = libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 };
    // SAFETY: the call reads and writes one `pollfd` on this stack frame, and does not wait.
    match unsafe { libc::poll(&raw mut pipe, 1, 0) } {
        0 => Ok(()),
        1 if pipe.revents & libc::POLLERR == 0 => Ok(()),
        1 => Err(std::io::Error::other("nobody is left to take what it makes")),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Elsewhere its bounds end it, or that nobody takes what it made.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
type Resource = libc::c_int;

#[expect(unsafe_code, reason = "the standard library bounds no process")]
fn limit(resource: Resource, soft: u64, hard: u64) -> std::io::Result<()> {
    let bounds = libc::rlimit { rlim_cur: soft as libc::rlim_t, rlim_max: hard as libc::rlim_t };
    // SAFETY: the call reads one `rlimit` through a pointer to one that lives on this stack frame;
    // what it bounds is this process.
    match unsafe { libc::setrlimit(resource, &raw const bounds) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retally_core::reduce::Halt;
    use std::sync::Arc;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        for compiler in Compiler::ALL {
            let order = Order { memory_bytes: 7 << 30, seconds: 9, stack: 1 << 20, compiler };
            assert_eq!(Order::parse(&order.text()), Some(order));
        }
        for wrong in ["", "1,2,3", "a,1,1,1", "-1,1,1,1", "1,1,1,9"] {
            assert_eq!(Order::parse(wrong), None, "{wrong}");
        }
    }

    const TWO_SECONDS: Patience<'_> = Patience { most: Duration::from_secs(2), halt: None };

    fn error(script: &str, patience: &Patience<'_>) -> LoadError {
        let words = vec!["-c".to_owned(), script.to_owned()];
        let compiler = CompilerProcess::new("/bin/sh".into(), words);
        compiler.compile((1 << 20, Compiler::Optimised), b"\0asm", patience).unwrap_err()
    }

    fn ended(script: &str) -> String {
        error(script, &TWO_SECONDS).to_string()
    }

    #[test]
    fn however_the_other_process_ends_it_is_told_and_this_one_goes_on() {
        for signal in ["SEGV", "KILL"] {
            let killed = error(&format!("echo alas >&2; kill -{signal} $$"), &TWO_SECONDS);
            assert!(!killed.is_of_reducer(), "{killed}");
            let text = killed.to_string();
            let begin = "the process that compiled it was killed (signal: ";
            assert!(text.starts_with(begin) && text.contains("saying: alas)"), "{text}");
        }
        let out = ended("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$");
        assert!(out.starts_with("compiling it takes more than 2048 MiB of memory"), "{out}");
        let slow = ended("kill -XCPU $$");
        assert!(slow.starts_with("compiling it takes more than 120s of CPU time"), "{slow}");
        let said = ended("echo 'no good' >&2; exit 1");
        assert_eq!(said, "it is not valid here: no good");
        let hung = ended("exec sleep 60");
        assert!(hung.starts_with("it takes more than 2s to compile"), "{hung}");
        let odd = ended("exit 77");
        assert_eq!(odd, "the compiler failed on it: exit status: 77");
        let none = CompilerProcess::new("/nowhere/retally".into(), Vec::new());
        let error = none.compile((1 << 20, Compiler::Optimised), b"", &TWO_SECONDS).unwrap_err();
        assert!(error.to_string().starts_with("no process to compile it can be started: "));
    }

    #[test]
    fn nobody_waits_for_a_process_whose_work_nobody_wants_and_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let begun = file.clone();
        let halt: Halt =
            Arc::new(move || std::fs::read(&begun).is_ok_and(|pid| pid.ends_with(b"\n")));
        let patience = Patience { most: Duration::from_secs(3_600), halt: Some(&halt) };
        let halted = error(&format!("echo $$ > {}; exec sleep 3600", file.display()), &patience);
        assert!(matches!(halted, LoadError::Halted) && !halted.is_of_reducer(), "{halted}");
        let pid = std::fs::read_to_string(&file).unwrap();
        let is_there = Command::new("kill").args(["-0", pid.trim()]).output().unwrap();
        assert!(!is_there.status.success(), "{pid}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_terminal_sends_does_not_reach_it() {
        // Field 5 of `stat` is the group.
        let said = ended("echo $$ $(cut -d' ' -f5 /proc/$$/stat) >&2; exit 1");
        let numbers = said.trim_start_matches("it is not valid here: ");
        let (own, group) = numbers.split_once(' ').unwrap();
        assert_eq!(own, group, "{said}");
    }
}
