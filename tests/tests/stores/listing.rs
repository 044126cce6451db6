//! A prefix of very many objects is listed, page by page: by a server that has names and nothing
//! else, for a real one takes minutes to get so many.

use anyhow::Result;
use retally_engine::store::s3::{Credentials, S3};
use retally_engine::store::{Access, Base, Folder, Stores};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const OBJECTS: usize = 100_000;

/// Names on a page, as S3 has it.
const PAGE: usize = 1_000;

/// The page of the objects that begin with this number.
fn page(from: usize) -> String {
    let mut page = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    let end = (from + PAGE).min(OBJECTS);
    for number in from..end {
        let _ = write!(
            page,
            "<Contents><Key>log/{number:06}.jsonl</Key><Size>{number}</Size><ETag>\"{number}\"\
             </ETag><LastModified>2026-03-01T00:00:00.000Z</LastModified></Contents>"
        );
    }
    let _ = write!(page, "<KeyCount>{}</KeyCount>", end - from);
    let more = end < OBJECTS;
    let _ = write!(page, "<IsTruncated>{more}</IsTruncated>");
    if more {
        let _ = write!(page, "<NextContinuationToken>{end}</NextContinuationToken>");
    }
    page + "</ListBucketResult>"
}

fn serve(client: TcpStream) -> Result<()> {
    let mut requests = BufReader::new(client.try_clone()?);
    let mut answers = client;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if requests.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let token = head.split_once("continuation-token=").map(|(_, rest)| rest);
        let token = token.and_then(|rest| rest.split(['&', ' ']).next()?.parse().ok());
        let page = page(token.unwrap_or(0));
        write!(answers, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len())?;
    }
}

#[test]
fn a_hundred_thousand_objects_are_listed() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || serve(client));
        }
    });
    let s3 = S3 {
        endpoint: Some(endpoint),
        allow_http: true,
        credentials: Credentials::Anonymous,
        ..S3::default()
    };
    let stores = Stores::new(Access { s3: Some(s3), ..Access::default() });
    let folder = Folder::open("s3://bucket/log/", Base { stores, ..Base::default() })?;
    let entries = folder.list("")?;
    assert_eq!(entries.len(), OBJECTS);
    assert!(entries.iter().enumerate().all(|(n, entry)| entry.name == format!("{n:06}.jsonl")));
    let walked = folder.walk()?;
    assert!(walked.iter().map(|(_, bytes)| *bytes).eq(0..OBJECTS as u64));
    Ok(())
}
