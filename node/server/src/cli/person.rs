//! `tram person …`: who may say something about rule sets. Private keys stay in the files of the people.

use std::path::{Path, PathBuf};

use certs::PublicKey;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::args::PersonCommand;
use super::client::Client;
use super::out::{Out, list, say, table, text};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::operation::{Clock, read_time};
use crate::rules::act::{Act, Newcomer, Said, SignedAct};

/// Runs one verb.
pub async fn run(dir: &Path, verb: PersonCommand, out: Out) -> Result<u8> {
    if let PersonCommand::Key { file } = &verb {
        let public = PublicKey::of(&read_key(file)?);
        out.result(&json!({"public_key": public, "key": public.thumbprint()}), |k| {
            format!("public key {}\nkey        {}", text(k, "public_key"), text(k, "key"))
        });
        return Ok(0);
    }
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, out).await;
    client.close().await;
    done.map(|()| 0)
}

async fn verb_on(client: &Client, verb: PersonCommand, out: Out) -> Result<()> {
    match verb {
        PersonCommand::Add { name, role, key_out, public_key, until, key } => {
            let until = until.as_deref().map(read_time).transpose()?;
            let fresh = key_out.map(|path| Ok::<_, Error>((new_key()?, path))).transpose()?;
            let public = match (&fresh, public_key) {
                (Some((fresh, _)), _) => PublicKey::of(fresh),
                (None, Some(text)) => PublicKey::try_from(text).map_err(|e| Error::usage(e.to_string()))?,
                (None, None) => return Err(Error::usage("give --key-out FILE or --public-key KEY")),
            };
            let person = Newcomer { name, roles: role.into_iter().collect(), key: public, until };
            // First the key: a person in the register without one could do nothing.
            if let Some((fresh, path)) = &fresh {
                certs::keys::store_one(fresh, path).map_err(|e| Error::usage(e.to_string()))?;
            }
            let added = add(client, &person, key.as_deref()).await;
            match (&added, &fresh) {
                // The key is nobody's; what matters is why the person was not let in.
                (Err(error), Some((_, path))) if is_refusal(error) => {
                    let _ = std::fs::remove_file(path);
                }
                (Err(_), Some((_, path))) => say(&format!(
                    "It is not certain that the person was not let in: keep the key in {}, and look at `tram person list`.",
                    path.display()
                )),
                _ => {}
            }
            let answer = added?;
            out.result(&answer, people_text);
            let waits = list(&answer, "people")
                .iter()
                .find(|p| p["key"] == json!(person.key.thumbprint()) && p["from"] != p["since"]);
            if let Some(waits) = waits {
                say(&format!(
                    "{} may act from {}, or as soon as another policy-approver confirms: `tram person confirm \"{}\" --as KEYFILE`.",
                    person.name,
                    text(waits, "from"),
                    person.name
                ));
            }
            if let Some((_, path)) = &fresh {
                say(&format!(
                    "The key of {} is in {}. Hand it over, and keep no copy: whoever has it signs as this person.",
                    person.name,
                    path.display()
                ));
            }
        }
        PersonCommand::List => out.result(&client.get("/v1/people").await?, people_text),
        PersonCommand::Confirm { person, key } => {
            let act = |register, key| Act::ConfirmPerson { register, key };
            out.result(&about(client, "/v1/people/confirmation", &person, act, key).await?, people_text);
        }
        PersonCommand::Remove { person, key } => {
            let act = |register, key| Act::RemovePerson { register, key };
            out.result(&about(client, "/v1/people/removal", &person, act, key).await?, people_text);
        }
        // Answered before a node was looked for.
        PersonCommand::Key { .. } => {}
    }
    Ok(())
}

/// Whether the node said no. Any other failure may have come after the person was let in.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::Usage(_)
            | Error::Conflict(_)
            | Error::NotFound(_)
            | Error::Verification(_)
            | Error::Refused(_)
            | Error::Unauthenticated(_)
            | Error::TooLarge(_)
    )
}

async fn add(client: &Client, person: &Newcomer, key: Option<&Path>) -> Result<Value> {
    let register = client.get("/v1/people").await?["register"].as_u64().unwrap_or_default();
    let signed = maybe_sign(client, Act::AddPerson { register, person: person.clone() }, key).await?;
    client.post("/v1/people", &json!({"person": person, "signed": signed})).await
}

/// Says something about somebody who is in the register.
async fn about(
    client: &Client,
    path: &str,
    person: &str,
    act: impl Fn(u64, PublicKey) -> Act,
    key: Option<PathBuf>,
) -> Result<Value> {
    let people = client.get("/v1/people").await?;
    let public = find(&people, person)?;
    let act = act(people["register"].as_u64().unwrap_or_default(), public);
    let signed = maybe_sign(client, act, key.as_deref()).await?;
    client.post(path, &json!({"key": public, "signed": signed})).await
}

fn find(people: &Value, wanted: &str) -> Result<PublicKey> {
    let fits =
        |p: &&Value| p["removed"].is_null() && (p["name"] == json!(wanted) || p["key"] == json!(wanted));
    let mut found = list(people, "people").iter().filter(fits);
    let (Some(person), None) = (found.next(), found.next()) else {
        return Err(Error::not_found(format!("nobody here is `{wanted}`; `tram person list` tells who is")));
    };
    PublicKey::try_from(text(person, "public_key")).map_err(|e| Error::Peer(e.to_string()))
}

fn people_text(answer: &Value) -> String {
    let rows: Vec<Vec<String>> = list(answer, "people").iter().map(row).collect();
    let eyes = if answer["four_eyes"] == json!(true) {
        "four eyes are on: rule sets need somebody else's approval"
    } else {
        "four eyes are off: nobody is registered who may approve"
    };
    if rows.is_empty() {
        return eyes.to_owned();
    }
    format!("{}\n{eyes}", table(&["name", "roles", "from", "until", "key"], &rows))
}

fn row(person: &Value) -> Vec<String> {
    let roles: Vec<&str> = list(person, "roles").iter().filter_map(Value::as_str).collect();
    let until = if person["removed"].is_null() {
        text(person, "until")
    } else {
        format!("removed {}", text(person, "removed"))
    };
    vec![text(person, "name"), roles.join(", "), text(person, "from"), until, text(person, "key")]
}

fn new_key() -> Result<SigningKey> {
    Ok(SigningKey::from_bytes(&crate::operation::random::<32>()?))
}

fn read_key(path: &Path) -> Result<SigningKey> {
    certs::keys::load_one(path).map_err(|e| match e {
        certs::keys::KeyError::Malformed { path, .. } => Error::usage(format!(
            "`{}` is no key of a person; give the file that `tram person add --key-out` wrote",
            path.display()
        )),
        other => Error::usage(other.to_string()),
    })
}

/// Signs an act with the key in a file, for the node that the client talks to.
pub async fn sign(client: &Client, act: Act, key: &Path) -> Result<SignedAct> {
    let key = read_key(key)?;
    let node = text(&client.get("/v1/node").await?, "participant");
    SignedAct::sign(Said { node, at: Clock::system().now(), act }, &key)
}

/// The same, where a key is given.
pub async fn maybe_sign(client: &Client, act: Act, key: Option<&Path>) -> Result<Option<SignedAct>> {
    match key {
        Some(key) => sign(client, act, key).await.map(Some),
        None => Ok(None),
    }
}
