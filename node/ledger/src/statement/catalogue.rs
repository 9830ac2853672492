//! The published catalogue of every kind of entry and every line of it, for those who read the log with other tools.
//!
//! Promise: `docs/ledger-entries.md` is what [`catalogue`] writes, and a test holds it against the document and against
//! the grammar: no kind and no line is missing, and none is there that the reader refuses.

use std::fmt::Write as _;

use super::Kind;

/// One line of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldDoc {
    /// Its key.
    pub key: &'static str,
    /// The form of its value.
    pub form: &'static str,
    /// Whether the line may be absent.
    pub optional: bool,
    /// What it says.
    pub meaning: &'static str,
}

const fn field(key: &'static str, form: &'static str, meaning: &'static str) -> FieldDoc {
    FieldDoc { key, form, optional: false, meaning }
}

const fn optional(key: &'static str, meaning: &'static str) -> FieldDoc {
    FieldDoc { key, form: "commitment", optional: true, meaning }
}

const ID: FieldDoc = field("id", "ULID", "the exchange; chosen by the consumer, unique per consumer");
const OWN_ID: FieldDoc = field("id", "ULID", "an id of its own, or the exchange that it belongs to");
const TIME: FieldDoc = field("time", "seconds", "when its author wrote it");
const AGENCY: FieldDoc = field("agency", "party", "the agency whose node it is; it signs");
const PROVIDER: FieldDoc = field("provider", "party", "the agency that has the data; it signs");
const CONSUMER: FieldDoc = field("consumer", "party", "the agency that asks");
const DATASET: FieldDoc = field("dataset", "word", "the dataset, with its version behind `@`");
const OPERATION: FieldDoc = field("operation", "word", "what is done with it: `query` or `download`");
const AGREEMENT: FieldDoc = field("agreement", "word or -", "the agreement under which");
const PURPOSE: FieldDoc = field("purpose", "word or -", "the code of the purpose");
const BASIS: FieldDoc = field("basis", "word or -", "the code of the legal basis");
const DECISION: FieldDoc =
    field("decision", "`permit` or `deny` word", "yes, or no with the code of the main reason");
const POLICY: FieldDoc = field("policy", "sha-256 number", "digest and version of the rule set that decided");
const REASON: FieldDoc = field("reason", "word", "the code of the reason");

const INTENT: &[FieldDoc] =
    &[ID, TIME, PROVIDER, CONSUMER, DATASET, OPERATION, AGREEMENT, PURPOSE, BASIS, POLICY];
const EXCHANGE: &[FieldDoc] = &[
    ID,
    TIME,
    PROVIDER,
    CONSUMER,
    DATASET,
    OPERATION,
    AGREEMENT,
    PURPOSE,
    BASIS,
    DECISION,
    POLICY,
    field("request", "commitment", "to the signature base and signature of the request"),
    FieldDoc {
        key: "response",
        form: "commitment",
        optional: true,
        meaning: "to the digest of the manifest, or of the refusal; a permit always has it",
    },
    optional("c.user", "to the person who asked"),
    optional("c.subject", "to the person whom the data is about"),
    optional("c.case", "to the case or file"),
];
const ACK: &[FieldDoc] = &[
    ID,
    TIME,
    field("leaf", "hash", "leaf hash of the exchange, the same in both logs"),
    field("provider-log", "party", "origin of the provider's log"),
    field("provider-index", "number", "where that log has the exchange"),
    field("consumer-log", "party", "origin of the consumer's log"),
    field("consumer-index", "number", "where that log has the exchange"),
];
const INTERRUPTED: &[FieldDoc] =
    &[ID, TIME, field("intent", "number hash", "index and leaf hash of the intent in the same log"), REASON];
const DECIDED: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("subject", "party", "who asked"),
    field("action", "word", "what it wanted to do"),
    field("dataset", "word", "with which dataset"),
    AGREEMENT,
    PURPOSE,
    BASIS,
    DECISION,
    POLICY,
    field("question", "commitment", "to the whole question with its facts, canonical JSON (RFC 8785)"),
    field("verdict", "commitment", "to the whole decision, canonical JSON"),
];
const ACTIVATED: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("policy", "sha-256 number", "digest and version of the rule set that came into force"),
    field("before", "sha-256 number", "digest and version of the one before it"),
];
const PERSON: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("register", "number", "version of the register of people after the change"),
    field("change", "word", "`add`, `confirm` (by another than the one who added) or `remove`"),
    field(
        "key",
        "word",
        "thumbprint of the person's key: URL-safe base64 of the SHA-256 of the raw public key",
    ),
    field("roles", "word", "what the person may do, commas between"),
    field(
        "by",
        "word or -",
        "thumbprint of the key that signed the change; none while nobody's signature was needed",
    ),
];
const READ: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("reader", "word", "the agency or office that read"),
    field("action", "word", "`query`, `export`, `tiles`, `list`, `watch` or `reconcile`"),
    PURPOSE,
    field("entries", "number number", "first entry that was open to it, and the end, not included"),
    field("opened", "number", "how many committed fields were opened"),
    optional("c.user", "to the person who read"),
];
const ERASED: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("entry", "number hash", "index and leaf hash of the entry whose openings were destroyed"),
    field("reason", "word", "`retention`, `request` or `order`"),
];
const ANCHORED: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("tree", "number hash", "size and root of the stamped checkpoint"),
    field("token", "sha-256", "of the time-stamp token (DER)"),
    field("stamped", "seconds", "the time in the token"),
];
const CONFLICT: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("log", "party", "origin of the log that signed two histories"),
    field("first", "number hash", "size and root of one of its trees"),
    field("second", "number hash", "size and root of the other"),
    field("evidence", "sha-256", "of the file with the evidence"),
];

const BROKEN: &[FieldDoc] = &[
    OWN_ID,
    TIME,
    AGENCY,
    field("log", "party", "origin of the log whose keeper broke its promise"),
    field("promised", "number hash", "the place in that log, and the leaf hash that was promised there"),
    field("found", "hash", "the leaf hash that stands there"),
    field("tree", "number hash", "size and root of the signed tree in which it stands"),
    field("evidence", "sha-256", "of the file with the evidence"),
];

const READ_OWN: &[FieldDoc] = &[
    field("id", "ULID", "the question; its exchanges with peers have ids of their own"),
    TIME,
    AGENCY,
    field("dataset", "word", "the agency's own dataset"),
    OPERATION,
    PURPOSE,
    BASIS,
    field("permit", "word", "`owner`: the owner's own permit, which no rule decides"),
    field("policy", "sha-256 number", "digest and version of the rule set in force"),
    field("question", "commitment", "to what was asked of the dataset, canonical JSON (RFC 8785)"),
];

const LINKAGE: &[FieldDoc] = &[
    field("id", "ULID", "an id of its own"),
    TIME,
    AGENCY,
    field("linkage", "word", "the key's full name, `NAME@ID`"),
    field("act", "word", "`make`, `seal` (to another holder), `take` (from another holder) or `drop`"),
    field("holders", "word", "the agencies that hold the key, in order, a bar between"),
    field("party", "party or -", "to whom it was sealed, or from whom it was taken"),
];

impl Kind {
    /// Its lines after the first, in their order.
    #[must_use]
    pub fn fields(self) -> &'static [FieldDoc] {
        match self {
            Self::Intent => INTENT,
            Self::Exchange => EXCHANGE,
            Self::Ack => ACK,
            Self::Interrupted => INTERRUPTED,
            Self::Decision => DECIDED,
            Self::Policy => ACTIVATED,
            Self::Person => PERSON,
            Self::Audit => READ,
            Self::Erasure => ERASED,
            Self::Anchor => ANCHORED,
            Self::Conflict => CONFLICT,
            Self::BrokenPromise => BROKEN,
            Self::OwnRead => READ_OWN,
            Self::Linkage => LINKAGE,
        }
    }

    /// What it is for, and who signs it.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Intent => {
                "A transfer was permitted and may begin; durable before the first byte leaves. Signed by the provider, in its log."
            }
            Self::Exchange => {
                "What was asked, decided and answered. Signed by the provider; the same bytes stand in both parties' logs."
            }
            Self::Ack => {
                "The consumer verified everything and logged the exchange. Signed by the consumer, in both logs."
            }
            Self::Interrupted => "An intent that will have no outcome. Signed by the provider, in its log.",
            Self::Decision => {
                "A question was put to the rules. It replays: the opened question under the rule set of that digest gives the opened verdict. Signed by the agency, in its log."
            }
            Self::Policy => "A rule set came into force. Signed by the agency, in its log.",
            Self::Person => {
                "A person may propose, approve or check rule sets from now on, or may no more; the name stays in the agency's register. Signed by the agency, in its log."
            }
            Self::Audit => {
                "Somebody read entries of this log, or had committed fields opened. Signed by the agency, in its log."
            }
            Self::Erasure => {
                "What opens the commitments of an entry was destroyed; the entry stays and proves itself. Signed by the agency, in its log."
            }
            Self::Anchor => {
                "A time-stamping authority (RFC 3161) stamped a checkpoint of this log. Signed by the agency, in its log."
            }
            Self::Conflict => {
                "A log was caught with two histories; the evidence lies in a file of that digest. Signed by the agency that caught it, in its log."
            }
            Self::BrokenPromise => {
                "A log has something else where its keeper promised a leaf; the evidence lies in a file of that digest. Signed by the agency that caught it, in its log."
            }
            Self::OwnRead => {
                "The agency read a dataset of its own, to join it with what other agencies answered; durable before anything is read. Signed by the agency, in its log."
            }
            Self::Linkage => {
                "The agency made a linkage key, sealed it to another holder, took it from one, or dropped it; durable before it is done. The key stands nowhere in it. Signed by the agency, in its log."
            }
        }
    }
}

/// The catalogue as Markdown: the text of `docs/ledger-entries.md`.
#[must_use]
pub fn catalogue() -> String {
    let mut out = String::from(HEAD);
    for kind in Kind::ALL {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n## `{}`\n\n{}\n\n| line | value | | says |\n| --- | --- | --- | --- |\n",
            kind.first_line(),
            kind.purpose()
        );
        for field in kind.fields() {
            let optional = if field.optional { "may be absent" } else { "" };
            let _ = writeln!(out, "| `{}` | {} | {} | {} |", field.key, field.form, optional, field.meaning);
        }
    }
    out
}

const HEAD: &str = "\
# Entries of the ledger

Written from the types of `node/ledger/src/statement/`; do not edit it by hand. `TRAM_WRITE_DOCS=1 cargo test -p ledger --test
catalogue` writes it anew, and without that variable the test holds it against the types.

An entry is a signed note (C2SP signed-note) with exactly one Ed25519 signature, in the name of its author. Its text begins with the
line that names its kind; then come lines `key value` in exactly this order. Nothing else is accepted: no other order, no other
spelling, no line twice, no line that is not in the table. Old entries never change, so neither does a kind; a new need gets a new one.

| value | is |
| --- | --- |
| word | 1 to 1024 printable ASCII characters without spaces, not the single `-` |
| `-` | none |
| party | a word that is also a legal key name: no `+` |
| ULID | 26 upper-case Crockford base32 characters |
| number | decimal, no leading zeros, below 2^64 |
| seconds | a number: POSIX seconds, below 2^63 |
| hash | 32 bytes as padded standard base64 |
| sha-256 | 64 lower-case hexadecimal digits |
| commitment | 32 bytes as padded standard base64: `HMAC-SHA256(salt, \"tram/v1:\" key 0x00 value)` with `salt = HKDF-SHA256(exchange key, info = \"salt:\" key)` |

**No personal data.** What identifies a person or an affair, and every digest of something that could be guessed, stands here only as a
commitment. Each has a salt of its own, so one line can be opened to an auditor without the others; with the salts destroyed it is
noise, and every proof of the log still verifies.
";
