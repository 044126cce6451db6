//! Asks a service that speaks HTTP for something small, by the same way on which stores are
//! reached.

use super::http::{Http, RETRY_AFTER_MAX, later};
use super::remote::Io;
use crate::cancel::Cancel;
use futures::future::{Either, select};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How often is asked.
const TRIES: u32 = 5;

/// How long is waited before asking again; each time twice as long.
const WAIT: Duration = Duration::from_millis(200);

/// An answer that takes longer is none.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Asks.
#[derive(Debug)]
pub(crate) struct Asker {
    client: reqwest::Client,
    io: Io,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Asker {
    pub(crate) fn new(http: &Http) -> Result<Self, String> {
        let io = Io::start().map_err(|error| error.to_string())?;
        Ok(Self { client: http.client()?, io })
    }

    /// What is at `url`, of no more than `most` bytes, for who shows this name and password. Who
    /// does not answer, or is broken, is asked again, a few times, until somebody asks to stop.
    pub(crate) fn get(
        &self,
        url: &str,
        login: Option<&(String, String)>,
        (most, cancel): (u64, &Cancel),
    ) -> Result<Answer, String> {
        self.io.handle().block_on(async {
            let (answer, asked) = (pin!(self.some_times(url, login, most)), pin!(asked(cancel)));
            match select(answer, asked).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err("it is no longer wanted".to_owned()),
            }
        })
    }

    async fn some_times(
        &self,
        url: &str,
        login: Option<&(String, String)>,
        most: u64,
    ) -> Result<Answer, String> {
        let mut wait = WAIT;
        for _ in 1..TRIES {
            match self.once(url, login, most).await {
                Ok((answer, _)) if answer.status < 500 && answer.status != 429 => {
                    return Ok(answer);
                }
                Ok((_, later)) => wait = wait.max(later.min(RETRY_AFTER_MAX)),
                Err(_) => {}
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        self.once(url, login, most).await.map(|(answer, _)| answer)
    }

    /// Asks once; with how long whoever answers wants to be left alone.
    async fn once(
        &self,
        url: &str,
        login: Option<&(String, String)>,
        most: u64,
    ) -> Result<(Answer, Duration), String> {
        let mut request = self.client.get(url).timeout(ANSWERED_WITHIN);
        if let Some((name, password)) = login {
            request = request.basic_auth(name, Some(password));
        }
        // Not the address, which is told by whoever asks.
        let told = |error: reqwest::Error| chain(&error.without_url());
        let mut answer = request.send().await.map_err(told)?;
        let status = answer.status().as_u16();
        let wait = later(status, answer.headers()).unwrap_or_default();
        let mut body = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(told)? {
            body.extend_from_slice(&some);
            if body.len() as u64 > most {
                return Err(format!("its answer has more than {most} bytes"));
            }
        }
        Ok((Answer { status, body }, wait))
    }
}

/// Waits until somebody asks to stop.
async fn asked(cancel: &Cancel) {
    let mut waiting = None;
    poll_fn(|cx| match cancel.is_cancelled() {
        true => Poll::Ready(()),
        false => {
            waiting = Some(cancel.wakes(cx.waker().clone()));
            Poll::Pending
        }
    })
    .await;
}

/// An error and what brought it about.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        next = error.source();
    }
    told
}
