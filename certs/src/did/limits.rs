//! Every limit of the identities of connectors, with its reason.

/// Longest DID, in bytes: a host name has at most 253, eight short path words fit beside it.
pub const DID_BYTES_MAX: usize = 512;
/// Words after the host of a `did:web`: two or three are in use.
pub const DID_SEGMENTS_MAX: usize = 8;
/// Longest DID document: documents in use have 1 to 4 KiB, those with many keys some more.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// Verification methods that a document may list: a connector has one to three.
pub const METHODS_MAX: usize = 32;
/// Services that a document may list.
pub const SERVICES_MAX: usize = 32;
/// Longest self-issued token: its claims are short, the access token of a credential service inside is itself a JWT.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest access token inside a self-issued token, in bytes.
pub const ACCESS_TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Longest `jti`, in bytes: a UUID has 36.
pub const JTI_BYTES_MAX: usize = 256;
/// Longest life of a self-issued token, in seconds: they are made for one message; ten minutes are usual.
pub const TOKEN_LIFETIME_S: i64 = 3600;
/// Life of the tokens that this node makes, in seconds: one message and its retries.
pub const OWN_TOKEN_LIFETIME_S: i64 = 300;
/// How far the clocks of two parties may differ, in seconds.
pub const CLOCK_SKEW_S: i64 = 30;
/// Used tokens that are remembered in all: those of an hour at 30 requests a second.
pub const REPLAYS_MAX: usize = 131_072;
/// Used tokens that are remembered for one party: a fourth of all, so that none fills the memory for the others.
pub const REPLAYS_PER_PARTY_MAX: usize = 32_768;
/// Longest answer of a credential service: some presentations of some credentials.
pub const PRESENTATION_RESPONSE_BYTES_MAX: usize = 512 * 1024;
/// Presentations in one answer: one is usual, one for each format is allowed.
pub const PRESENTATIONS_MAX: usize = 8;
/// Credentials in all presentations of one answer.
pub const CREDENTIALS_MAX: usize = 16;
/// Longest presentation, in bytes: it carries its credentials.
pub const PRESENTATION_BYTES_MAX: usize = 256 * 1024;
/// Longest credential, in bytes.
pub const CREDENTIAL_BYTES_MAX: usize = 64 * 1024;
/// Subjects of one credential: one is usual.
pub const SUBJECTS_MAX: usize = 16;
/// Status entries of one credential: one to revoke, one to suspend; twice that.
pub const STATUS_ENTRIES_MAX: usize = 4;
/// Longest status list credential as it is fetched.
pub const STATUS_LIST_BYTES_MAX: usize = 1024 * 1024;
/// Longest status list unpacked: 16 million credentials. A small packed text must not become more (a "zip bomb").
pub const STATUS_LIST_UNPACKED_MAX: u64 = 2 * 1024 * 1024;
/// Longest key file: a P-256 key in PEM has under 300 bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;
