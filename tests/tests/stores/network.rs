//! How the way to a store leads through a network: proxies, and whom TLS trusts.

use anyhow::Result;
use retally_tests::certificates;
use retally_tests::stores::Store;
use retally_tests::{Project, payments};
use xtask::services;

const LOG: &str = "s3://bucket/log/";

#[test]
fn proxies_are_asked_unless_a_host_is_to_be_asked_itself() -> Result<()> {
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    project.write("log/a.jsonl", payments(300, "a"))?;
    store.put_log(&project, LOG)?;
    for (no_proxy, is_asked) in [("", true), ("127.0.0.1", false), ("*", false)] {
        store.proxy.seen();
        let mut command = store.command(&project, &["replay", "--source", LOG]);
        command.env("AWS_ENDPOINT_URL", store.server_url());
        command.env("http_proxy", store.proxy.url()).env("no_proxy", no_proxy);
        let output = command.output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(!store.proxy.seen().is_empty(), is_asked, "no_proxy={no_proxy}");
    }
    let mut command = store.command(&project, &["replay", "--source", LOG]);
    let output = command.env("http_proxy", "http://user:SECRET@[").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("proxy is no URL"), "{said}");
    assert!(!said.contains("SECRET"), "{said}");
    Ok(())
}

#[test]
fn a_store_is_trusted_by_the_certificates_that_are_named() -> Result<()> {
    let (project, store) = (Project::new("orders")?, Store::s3()?);
    project.write("log/a.jsonl", payments(300, "a"))?;
    store.put_log(&project, LOG)?;
    let folder = tempfile::tempdir()?;
    certificates(folder.path())?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let server = services::s3_with(store.data(), &["--cert", &cert, "--key", &key])?;
    let asked = |roots: &str| -> Result<(bool, String)> {
        let mut command = store.command(&project, &["replay", "--source", LOG]);
        command.env("AWS_ENDPOINT_URL", server.url().replace("http:", "https:"));
        let output = command.env("AWS_CA_BUNDLE", roots).output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (trusted, said) = asked(&file("ca.pem"))?;
    assert!(trusted, "{said}");
    for (roots, says) in [
        ("", "certificate"),
        (&*file("nowhere.pem"), "no certificates from"),
        (&*file("key.pem"), "it holds none"),
    ] {
        let (trusted, said) = asked(roots)?;
        assert!(!trusted && said.contains(says), "{roots}: {said}");
    }
    Ok(())
}
