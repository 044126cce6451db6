//! `retally results sign`: a detached signature over a run's manifest, as OpenSSH makes them; and
//! the reading of such signatures.
//!
//! What is signed is `manifest.json` as it lies there: it holds the seal, and size and SHA-256 of
//! every other file of the run. `ssh-keygen -Y sign -n retally` and `-Y verify` do the same.

use super::unreadable;
use crate::commands::folder;
use crate::error::Failure;
use crate::exit::Exit;
use anyhow::{Context as _, anyhow};
use retally_engine::bounded;
use retally_engine::limits::TEXT_MAX_BYTES;
use retally_engine::rundir::{RunReader, SIGNATURE};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use std::path::{Path, PathBuf};

/// What a signature is for: OpenSSH's guard against one that was made for something else.
const NAMESPACE: &str = "retally";

/// Sign a run: its seal and every byte of its files.
///
/// The signature lies beside them in `manifest.json.sig`. The key is an Ed25519 key of OpenSSH, as
/// `ssh-keygen -t ed25519` makes it; `retally results check --verify-with KEY.pub` verifies the
/// signature, and so does `ssh-keygen -Y verify -n retally`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run directory, or its URL.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Put the signature in place of one by another key.
    #[arg(long)]
    replace: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let run = RunReader::open(folder(&args.run)?).map_err(unreadable)?;
    // Nobody signs what is no longer there.
    run.verify().map_err(unreadable)?;
    let key = private_key(&args.key)?;
    let other = run.signature().map_err(unreadable)?;
    let other = other.and_then(|found| of_another(&found, key.public_key()));
    match other {
        Some(other) if !args.replace => {
            let path = args.run.join(SIGNATURE);
            return Err(Failure::usage(anyhow!("{} {other}", path.display())).hint(
                "--replace puts the new one in its place; to keep both, copy that file first",
            ));
        }
        Some(other) => println!("replaced   {SIGNATURE}, which {other}"),
        None => {}
    }
    let signed = key.sign(NAMESPACE, HashAlg::Sha512, run.manifest_bytes());
    let signed = signed.and_then(|signature| signature.to_pem(LineEnding::LF));
    let signed = signed.map_err(|e| Failure::unfinished(anyhow!("cannot sign: {e}")))?;
    run.put_signature(signed.as_bytes()).map_err(unreadable)?;
    let path = args.run.join(SIGNATURE);
    println!("seal       {}", run.manifest().seal);
    println!("signed by  {}", key.public_key().fingerprint(HashAlg::Sha256));
    println!("signature  {}", path.display());
    Ok(Exit::Ok)
}

fn text_of(key: &Path) -> Result<String, Failure> {
    let text = bounded::read_text(key, TEXT_MAX_BYTES);
    text.with_context(|| format!("cannot read key {}", key.display())).map_err(Failure::usage)
}

/// No message tells anything of what is in the file.
fn private_key(path: &Path) -> Result<PrivateKey, Failure> {
    let name = path.display();
    let key = PrivateKey::from_openssh(text_of(path)?).map_err(|_| {
        Failure::usage(anyhow!("{name} is no private key of OpenSSH"))
            .hint("`ssh-keygen -t ed25519 -f FILE` makes one; name FILE, not FILE.pub")
    })?;
    if key.is_encrypted() {
        return Err(Failure::usage(anyhow!("{name} is locked by a passphrase")).hint(
            "`ssh-keygen -Y sign -n retally -f KEY RUN/manifest.json` asks for it and makes the \
             same signature",
        ));
    }
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(key),
        other => Err(Failure::usage(anyhow!("{name} is a key of kind {other}, not ssh-ed25519"))
            .hint("`ssh-keygen -t ed25519 -f FILE` makes one")),
    }
}

/// Of what else than this key a signature is; none: it is one by this key.
fn of_another(signature: &[u8], key: &PublicKey) -> Option<String> {
    let Ok(parsed) = SshSig::from_pem(signature) else {
        return Some("is no signature of OpenSSH".to_owned());
    };
    let signer = PublicKey::from(parsed.public_key().clone());
    let is_own = signer.key_data() == key.key_data();
    (!is_own).then(|| format!("is of another key: {}", signer.fingerprint(HashAlg::Sha256)))
}

/// A public key: the line in a `.pub` file.
pub(super) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let name = path.display();
    let key = PublicKey::from_openssh(text_of(path)?.trim());
    key.map_err(|error| {
        Failure::usage(anyhow!("{name} is no public key of OpenSSH: {error}"))
            .hint("name the file that ends with .pub")
    })
}

/// Why a signature is not one over these bytes of a manifest by this key; none: it is.
pub(super) fn unverified(
    signature: Option<&[u8]>,
    manifest: &[u8],
    key: &PublicKey,
) -> Option<String> {
    let Some(signature) = signature else {
        return Some(format!("there is no {SIGNATURE}: nobody has signed this run"));
    };
    let parsed = SshSig::from_pem(signature);
    let Ok(parsed) = parsed else {
        return Some(format!("{SIGNATURE} is no signature of OpenSSH"));
    };
    let print = |key: &PublicKey| key.fingerprint(HashAlg::Sha256);
    let signer = PublicKey::from(parsed.public_key().clone());
    if signer.key_data() != key.key_data() {
        return Some(format!(
            "{SIGNATURE} is of another key: {}, not {}",
            print(&signer),
            print(key)
        ));
    }
    key.verify(NAMESPACE, manifest, &parsed).err().map(|_| {
        format!("{SIGNATURE} is not over this manifest.json: it, or the signature, was changed")
    })
}
