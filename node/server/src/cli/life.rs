//! `tram policy draft|drafts|approve|reject|apply|rollback|history|verify`: from a proposal to force and back.
//!
//! Signatures are made here, with the person's key and over what this side has looked at itself: the digests are worked
//! out anew from the files, not taken from the node.

use std::path::{Path, PathBuf};

use certs::PublicKey;
use ledger::receipt::KeyBook;
use policy::{Files, Form, RuleSet};
use serde_json::{Value, json};

use super::args::{ApplyArgs, LifeCommand};
use super::client::{Client, segment};
use super::life_args::FormArg;
use super::out::{Out, list, say, table, text};
use super::person::{maybe_sign, sign};
use super::policy::{rule_set_text, tests_text, texts, write_files};
use crate::boot::Doors;
use crate::error::{Error, Result};
use crate::limits::RULE_SET_BYTES_MAX;
use crate::operation::read_time;
use crate::rules::act::{Act, DraftName, Proposal, RuleSetRef, SignedAct};
use crate::rules::content::{self, Texts};
use crate::rules::direct::TWO_EYES;
use crate::rules::manifest::Bundle;
use crate::{files, rules};

/// Runs one verb.
pub async fn run(dir: &Path, verb: LifeCommand, out: Out) -> Result<u8> {
    if let LifeCommand::Verify { what, out: to, registry } = &verb
        && version_of(what).is_none()
    {
        let bytes = files::read_limited(what, RULE_SET_BYTES_MAX * 2)?;
        let bundle = serde_json::from_slice(&bytes)
            .map_err(|e| Error::usage(format!("`{}` is no bundle of a rule set: {e}", what.display())))?;
        return verify(&bundle, registry.as_deref(), to.as_deref(), out);
    }
    if let LifeCommand::Convert { folder, to } = &verb {
        return convert(folder, *to, out);
    }
    // Read before a node is opened: a bad folder is told at once.
    let texts = match &verb {
        LifeCommand::Draft { folder, .. } => texts(folder)?,
        _ => Texts::new(),
    };
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = verb_on(&client, verb, texts, out).await;
    client.close().await;
    done
}

async fn verb_on(client: &Client, verb: LifeCommand, texts: Texts, out: Out) -> Result<u8> {
    match verb {
        LifeCommand::Draft { note, not_before, key, .. } => {
            let not_before = not_before.as_deref().map(read_time).transpose()?;
            let proposal = proposal(base(client).await?, &texts, not_before)?;
            let signed = maybe_sign(client, Act::Propose { proposal }, key.as_deref()).await?;
            let body = json!({"files": texts, "note": note, "not_before": not_before, "signed": signed});
            let answer = client.post("/v1/policy/drafts", &body).await?;
            out.result(&answer, |a| {
                format!("{}\n{}\n{}", draft_text(&a["draft"]), tests_text(&a["tests"]), lint_text(&a["lint"]))
            });
            warn(&answer);
        }
        LifeCommand::Drafts { draft: None, .. } => {
            out.result(&client.get("/v1/policy/drafts").await?, drafts_text);
        }
        LifeCommand::Drafts { draft: Some(name), files } => {
            let answer = client.get(&draft_path(&name, "")?).await?;
            if let Some(folder) = files {
                write_files(&answer, &folder)?;
            }
            out.result(&answer, |a| format!("{}\n{}", draft_text(&a["draft"]), lint_text(&a["lint"])));
        }
        LifeCommand::Approve { draft, key } => {
            let answer =
                judge(client, &draft, &key, |draft, proposal| Act::Approve { draft, proposal }).await?;
            out.result(&answer, |a| draft_text(&a["draft"]));
        }
        LifeCommand::Reject { draft, key } => {
            let answer =
                judge(client, &draft, &key, |draft, proposal| Act::Reject { draft, proposal }).await?;
            out.result(&answer, |a| draft_text(&a["draft"]));
        }
        LifeCommand::Rollback { version, key } => roll_back(client, version, key, out).await?,
        LifeCommand::History { before } => {
            let before = before.map_or_else(String::new, |before| format!("?before={before}"));
            out.result(&client.get(&format!("/v1/policy/history{before}")).await?, history_text);
        }
        LifeCommand::Verify { what, out: to, registry } => {
            let version = version_of(&what).unwrap_or_default();
            let answer = client.get(&format!("/v1/policy/versions/{version}")).await?;
            let bundle = serde_json::from_value(answer)
                .map_err(|e| Error::Verification(format!("the node's bundle is unreadable: {e}")))?;
            return verify(&bundle, registry.as_deref(), to.as_deref(), out);
        }
        // Answered before a node was looked for.
        LifeCommand::Convert { .. } => {}
    }
    Ok(0)
}

/// Writes the files of the new form first, then takes the old ones away: whoever is cut off has both and is told so.
fn convert(folder: &Path, to: FormArg, out: Out) -> Result<u8> {
    let before = Files::read(folder).map_err(|e| rules::refused(&e))?;
    let form = match to {
        FormArg::Csv => Form::Csv,
        FormArg::Toml => Form::Toml,
    };
    let after = policy::convert(&before, form).map_err(|e| rules::refused(&e))?;
    let changed = after.iter().filter(|(name, bytes)| before.get(name) != Some(bytes));
    let mut written = Vec::new();
    for (name, bytes) in changed {
        files::write_atomic(&folder.join(name), bytes)?;
        written.push(name);
    }
    let gone: Vec<&str> =
        before.iter().map(|(name, _)| name).filter(|name| after.get(name).is_none()).collect();
    for name in &gone {
        files::remove(&folder.join(name))?;
    }
    let sha256 = RuleSet::from_files(&after, 1).map_err(|e| rules::refused(&e))?.digest().to_string();
    out.result(&json!({"written": written, "removed": gone, "sha256": sha256}), |told| {
        let names = |key| list(told, key).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        format!(
            "wrote {}; removed {}\nthe same rules: sha256 {}",
            names("written"),
            names("removed"),
            text(told, "sha256")
        )
    });
    Ok(0)
}

/// `tram policy apply`: a draft by its name, or a folder.
pub async fn apply(dir: &Path, args: ApplyArgs, out: Out) -> Result<u8> {
    let draft: Option<DraftName> = args.what.to_str().and_then(|name| name.parse().ok());
    if draft.is_some() && args.emergency {
        return Err(Error::usage("an emergency takes a folder, not a draft"));
    }
    let texts = if draft.is_none() { texts(&args.what)? } else { Texts::new() };
    let client = Client::connect(dir, Doors::Closed).await?;
    let done = applied(&client, draft, &texts, args.key.as_deref()).await;
    client.close().await;
    let answer = done?;
    out.result(&answer, |a| format!("{}\n{}", rule_set_text(&a["rule_set"]), tests_text(&a["tests"])));
    warn(&answer);
    Ok(0)
}

async fn applied(
    client: &Client,
    draft: Option<DraftName>,
    texts: &Texts,
    key: Option<&Path>,
) -> Result<Value> {
    match (draft, key) {
        (Some(draft), _) => client.post(&draft_path(&draft.to_string(), "/activate")?, &json!({})).await,
        (None, None) => client.post("/v1/policy", &json!({"files": texts})).await,
        (None, Some(key)) => {
            let proposal = proposal(base(client).await?, texts, None)?;
            let signed = sign(client, Act::Tighten { proposal }, key).await?;
            client.post("/v1/policy", &json!({"files": texts, "emergency": signed})).await
        }
    }
}

async fn roll_back(client: &Client, version: Option<u64>, key: Option<PathBuf>, out: Out) -> Result<()> {
    let base = base(client).await?;
    let to = match version {
        Some(version) => version,
        None => before(client, &base).await?,
    };
    let signed = match key {
        Some(key) => {
            let earlier = client.get(&format!("/v1/policy?version={to}")).await?;
            let to = RuleSetRef { version: to, sha256: rules_digest(&files_of(&earlier)?)? };
            Some(sign(client, Act::RollBack { to, base }, &key).await?)
        }
        None => None,
    };
    let answer = client.post("/v1/policy/rollback", &json!({"version": to, "signed": signed})).await?;
    out.result(&answer, |a| format!("as version {to} was\n{}", rule_set_text(&a["rule_set"])));
    warn(&answer);
    Ok(())
}

async fn before(client: &Client, base: &RuleSetRef) -> Result<u64> {
    let history = client.get("/v1/policy/history").await?;
    list(&history, "versions").first().and_then(|newest| newest["previous"].as_u64()).ok_or_else(|| {
        Error::conflict(format!(
            "version {} is the first of this node; there is nothing before it",
            base.version
        ))
    })
}

/// Signs what a draft proposes, as its files say and not as the node does, and hands it in.
async fn judge(
    client: &Client,
    name: &str,
    key: &Path,
    act: impl FnOnce(DraftName, Proposal) -> Act,
) -> Result<Value> {
    let answer = client.get(&draft_path(name, "")?).await?;
    let said: Proposal =
        serde_json::from_value(answer["draft"]["proposal"].clone()).map_err(Error::internal)?;
    let files = files_of(&answer)?;
    let found = proposal(said.base.clone(), &files, said.not_before)?;
    if found != said {
        return Err(Error::Verification(format!(
            "the files of {name} are not those that it proposes; nothing was signed"
        )));
    }
    let signed: SignedAct = sign(client, act(name.parse()?, found), key).await?;
    client.post(&draft_path(name, "/approval")?, &json!({"signed": signed})).await
}

async fn base(client: &Client) -> Result<RuleSetRef> {
    let rules = client.get("/v1/node").await?["rule_set"].clone();
    let version = rules["version"].as_u64().ok_or_else(|| Error::internal("the node names no version"))?;
    Ok(RuleSetRef { version, sha256: text(&rules, "sha256") })
}

fn proposal(base: RuleSetRef, texts: &Texts, not_before: Option<i64>) -> Result<Proposal> {
    Ok(Proposal { rules: rules_digest(texts)?, files: content::digest(texts)?, base, not_before })
}

fn rules_digest(texts: &Texts) -> Result<String> {
    Ok(crate::rules::load(texts, 1)?.digest().to_string())
}

fn files_of(answer: &Value) -> Result<Texts> {
    serde_json::from_value(answer["files"].clone()).map_err(Error::internal)
}

fn draft_path(name: &str, rest: &str) -> Result<String> {
    let name: DraftName = name.parse()?;
    Ok(format!("/v1/policy/drafts/{}{rest}", segment(&name.to_string())))
}

fn version_of(what: &Path) -> Option<u64> {
    what.to_str()?.parse().ok()
}

fn verify(bundle: &Bundle, registry: Option<&Path>, to: Option<&Path>, out: Out) -> Result<u8> {
    let judged = match registry {
        None => bundle.verify(None)?,
        Some(path) => {
            let (book, _) = super::receipt::registry_book(&[path.to_owned()])?;
            bundle.verify(Some(&|node, at| keys_at(&book, node, at)))?
        }
    };
    if let Some(to) = to {
        files::write_atomic(to, &serde_json::to_vec(bundle).map_err(Error::internal)?)?;
    }
    out.result(&judged, verified_text);
    Ok(0)
}

fn keys_at(book: &crate::keybook::Book, node: &str, at: i64) -> Vec<PublicKey> {
    let at = u64::try_from(at).unwrap_or_default();
    let valid =
        book.signing_keys(node).into_iter().filter(|key| (key.valid_from..key.valid_until).contains(&at));
    valid.filter_map(|key| PublicKey::from_bytes(key.key.as_bytes()).ok()).collect()
}

fn warn(answer: &Value) {
    for warning in list(answer, "warnings").iter().filter_map(Value::as_str) {
        say(&format!("warning: {warning}"));
    }
    if answer["four_eyes"] == json!(false) {
        say(&format!("note: {TWO_EYES}"));
    }
}

fn person_text(person: &Value) -> String {
    if person.is_null() {
        return "-".to_owned();
    }
    let name = text(person, "name");
    if name == "-" { text(person, "key") } else { name }
}

fn people_text(people: &[Value]) -> String {
    let each: Vec<String> =
        people.iter().map(|p| format!("{} ({})", person_text(p), text(p, "did"))).collect();
    if each.is_empty() { "-".to_owned() } else { each.join(", ") }
}

fn state_text(state: &Value) -> String {
    match state["version"].as_u64() {
        Some(version) => format!("in force as {version}"),
        None => text(state, "is"),
    }
}

fn draft_text(draft: &Value) -> String {
    let proposal = &draft["proposal"];
    let mut lines = vec![
        format!("draft {}: {}", text(draft, "name"), state_text(&draft["state"])),
        format!("rules sha256 {}", text(proposal, "rules")),
        format!("in place of version {}", text(&proposal["base"], "version")),
        format!("author: {}", person_text(&draft["author"])),
        format!("answers: {}", people_text(list(draft, "answers"))),
    ];
    if !draft["note"].is_null() {
        lines.push(format!("note: {}", text(draft, "note")));
    }
    lines.extend(list(draft, "opens").iter().filter_map(Value::as_str).map(|what| format!("opens: {what}")));
    let missing: Vec<&str> = list(draft, "missing").iter().filter_map(Value::as_str).collect();
    if draft["state"]["is"] == json!("open") {
        lines.push(match missing.is_empty() {
            true => format!("ready: tram policy apply {}", text(draft, "name")),
            false => format!("not yet: {}", missing.join("; ")),
        });
    }
    lines.join("\n")
}

/// How many findings there are, and the errors among them.
fn lint_text(lint: &Value) -> String {
    let counts = ["errors", "warnings", "notes"].map(|kind| format!("{} {kind}", text(lint, kind)));
    let mut lines = vec![format!("lint: {}", counts.join(", "))];
    let errors = list(lint, "findings").iter().filter(|finding| finding["severity"] == json!("error"));
    lines.extend(errors.map(|f| {
        format!(
            "  {} {}: {} / {}",
            text(f, "code"),
            text(f, "rule"),
            text(&f["text"], "vi"),
            text(&f["text"], "en")
        )
    }));
    lines.join("\n")
}

fn drafts_text(answer: &Value) -> String {
    let row = |draft: &Value| {
        vec![
            text(draft, "name"),
            state_text(&draft["state"]),
            text(&draft["proposal"]["base"], "version"),
            text(draft, "proposed"),
            person_text(&draft["author"]),
            people_text(list(draft, "answers")),
            text(draft, "note"),
        ]
    };
    let rows: Vec<Vec<String>> = list(answer, "drafts").iter().map(row).collect();
    if rows.is_empty() {
        return "no drafts".to_owned();
    }
    table(&["draft", "state", "for version", "proposed", "author", "answers", "note"], &rows)
}

fn history_text(answer: &Value) -> String {
    let row = |version: &Value| {
        let how = &version["how"];
        let detail = [&how["draft"], &how["to"]["version"]].into_iter().find(|v| !v.is_null());
        vec![
            text(version, "version"),
            text(version, "activated"),
            detail.map_or_else(
                || text(how, "way"),
                |d| format!("{} {}", text(how, "way"), d.to_string().trim_matches('"')),
            ),
            person_text(&version["author"]),
            people_text(list(version, "approvals")),
            text(version, "entry"),
            text(version, "sha256").chars().take(16).collect(),
            text(version, "note"),
        ]
    };
    let rows: Vec<Vec<String>> = list(answer, "versions").iter().map(row).collect();
    table(&["version", "in force since", "how", "author", "approvals", "entry", "sha256", "note"], &rows)
}

fn verified_text(judged: &Value) -> String {
    let keys = match judged["trusted"] == json!("registry") {
        true => "keys: of the registry that you gave".to_owned(),
        false => format!(
            "keys: those in the bundle; compare the fingerprint of the node's description with the federation's registry: {}",
            text(judged, "descriptor_sha256")
        ),
    };
    format!(
        "VALID: rule set version {} of {}\nsha256 {}\nin place of version {}, since {}, {}\nauthor: {}\napprovals: {}\n{keys}",
        text(&judged["rule_set"], "version"),
        text(judged, "node"),
        text(&judged["rule_set"], "sha256"),
        text(&judged["previous"], "version"),
        text(judged, "activated"),
        text(&judged["how"], "way"),
        person_text(&judged["author"]),
        people_text(list(judged, "approvals")),
    )
}
