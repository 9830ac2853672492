//! Every limit of the node that is not a leaf crate's own, with its reason.
//!
//! A limit without a name is a limit that nobody can find when it bites. The tests exercise each at its edge.

use std::time::Duration;

/// Largest body of a protocol message between nodes, bytes. DSP messages are a few KiB; a catalog page of 100
/// datasets with their columns stays under 512 KiB.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Largest request body on the local door, bytes: contracts and lists of questions are of this order.
pub const LOCAL_BODY_BYTES_MAX: usize = 4 << 20;
/// The same where a rule set comes in: the largest file of one (32 MiB), the other files, and what JSON adds.
pub const RULES_BODY_BYTES_MAX: usize = 48 << 20;
/// Largest answer that the outbound client accepts for a chunk, bytes: the largest chunk that the protocol knows.
pub const CHUNK_ANSWER_BYTES_MAX: usize = 8 << 20;
/// Largest answer that the outbound client accepts for a manifest, bytes: 1,048,576 chunk digests need about 100 MiB,
/// but a transfer of 256 GiB at 4 MiB a chunk needs 8 MiB; beyond that the provider should publish parts.
pub const MANIFEST_ANSWER_BYTES_MAX: usize = 16 << 20;
/// Size of a chunk that this node cuts, bytes.
pub const CHUNK_BYTES: usize = 4 << 20;
/// Chunks of one transfer that are fetched side by side, on a line that is quick enough: what keeps both cores of a small
/// machine busy.
pub const CHUNKS_AT_ONCE: usize = 4;
/// Chunks from one peer that are on their way to the disk at once, of all transfers: they are held in memory, and
/// messages need some of [`REQUESTS_PER_PEER_MAX`], too.
pub const CHUNKS_PER_PEER_AT_ONCE: usize = 8;
/// A chunk that came within this time lets one more be fetched beside it.
pub const CHUNK_QUICK: Duration = Duration::from_secs(1);
/// A chunk that took longer goes alone: several at once over a slow line lose more when it is cut.
pub const CHUNK_SLOW: Duration = Duration::from_secs(5);
/// How long a request for a chunk that is being made waits for it before it is told to come again.
pub const CHUNK_WAIT: Duration = Duration::from_millis(500);
/// Piece in which a chunk is read and sent, bytes: what a slow reader costs this node.
pub const PIECE_BYTES: usize = 256 << 10;
/// Most datasets on one catalog page.
pub const CATALOG_PAGE: usize = 200;
/// Fewest on one that is not the last. From then on a page may end (`peer/catalog.rs`).
pub const CATALOG_PAGE_MIN: usize = 100;
/// Of so many datasets one may end a page by its name: a dataset that comes or goes moves the ends of few pages.
pub const CATALOG_PAGE_ENDS: u32 = 32;
/// Bytes of datasets from which on a catalog page ends: with one more it stays under [`MESSAGE_BYTES_MAX`], unless that one
/// is a monster.
pub const CATALOG_PAGE_BYTES: usize = 512 << 10;
/// Bytes of one peer's catalog that the crawler reads: some hundred thousand datasets.
pub const CATALOG_BYTES_MAX: usize = 256 << 20;
/// Pages that the crawler follows at one peer, so that an endless catalog ends.
pub const CATALOG_PAGES_MAX: usize = 1_000;
/// Peers whose catalogs are read at once.
pub const CRAWLS_AT_ONCE: usize = 8;
/// How long reading one peer's whole catalog may take: a person waits for the search.
pub const CRAWL_TIMEOUT: Duration = Duration::from_secs(120);
/// Connections that the peer door serves at once; beyond it new ones wait in the kernel's queue.
pub const PEER_CONNECTIONS_MAX: usize = 256;
/// Connections that the local door serves at once.
pub const LOCAL_CONNECTIONS_MAX: usize = 64;
/// Connections that the public door serves at once.
pub const PUBLIC_CONNECTIONS_MAX: usize = 512;
/// Connections of one address at the public door: a browser opens six, and an office shares an address.
pub const PUBLIC_CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Largest request body at the public door, bytes: questions and protocol messages, never rows.
pub const PUBLIC_BODY_BYTES_MAX: usize = 1 << 20;
/// How long the public door may take until an answer begins: a governed view of a large table takes its time, and nobody waits
/// longer at a spreadsheet.
pub const PUBLIC_ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest `Authorization` field, bytes: keys have 48, tokens of other connectors a few KiB.
pub const AUTHORIZATION_BYTES_MAX: usize = 8 << 10;
/// Parties of one node: each is registered by hand.
pub const PARTIES_MAX: usize = 10_000;
/// Longest name of a party, bytes.
pub const PARTY_NAME_BYTES_MAX: usize = 200;
/// Groups of one party.
pub const PARTY_GROUPS_MAX: usize = 64;
/// Keys of one party that are good at once: one a purpose, and a new one before the old one ends.
pub const PARTY_KEYS_MAX: usize = 32;
/// How long a key is good when nobody says otherwise, days, as agreements are.
pub const PARTY_KEY_DAYS_DEFAULT: u32 = 90;
/// How long a key is good at most, days: as long as an agreement.
pub const PARTY_KEY_DAYS_MAX: u32 = 366;
/// How long a TLS handshake may take before the connection is dropped: some 6 KB and two round trips. Over a line with 10 %
/// loss and a full queue before it a lost packet costs seconds, and the pauses of TCP double.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the head of a request may take to arrive; also how long a connection may rest between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long this node keeps a resting connection to a peer. Less than [`HEADER_TIMEOUT`] by more than the slowest round trip,
/// so that no request goes out on a connection that the peer is just closing.
pub const CONNECTION_REST: Duration = Duration::from_secs(20);
/// How long the body of a message may take to arrive: 1 MiB over a line of 64 kbit/s needs a little over two minutes.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(180);
/// Requests of one participant at once: a consumer reads a few chunks side by side and sends a few messages; with more,
/// one peer could take every connection of the door from the others.
pub const REQUESTS_PER_PEER_MAX: usize = 32;
/// How long one request to a peer may take, from connecting to the last byte of the answer: 1 MiB over a line of 64 kbit/s
/// needs a little over two minutes.
pub const PEER_REQUEST_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a peer may take until its answer begins.
pub const ANSWER_BEGINS: Duration = Duration::from_secs(60);
/// How long an answer may stand still before its line counts as dead. TCP waits for minutes, and longer after each pause.
pub const ANSWER_QUIET: Duration = Duration::from_secs(30);
/// How long sent bytes may stay unconfirmed before the kernel gives a connection up: the other side of [`ANSWER_QUIET`].
pub const UNCONFIRMED: Duration = Duration::from_secs(120);
/// When the kernel asks whether the other end of a silent connection is still there, and how often again.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);
/// See [`KEEPALIVE_AFTER`].
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// Tries of one chunk on new connections before its exchange pauses, each going on where the one before broke off.
pub const CHUNK_TRIES: u32 = 4;
/// Bytes of broken-off chunks that are kept in memory to go on from.
pub const BROKEN_BYTES_MAX: usize = 32 << 20;
/// How long one chunk may take: 8 MiB over a line of 64 kbit/s need about 17 minutes.
pub const DATA_REQUEST_TIMEOUT: Duration = Duration::from_secs(1_200);
/// How long connecting to a peer may take: four tries of the kernel (after 1, 3 and 7 s), so that at 10 % loss each way one
/// of a thousand fails.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);
/// Lifetime of a transfer token, seconds. Short, because a decision is only good for as long as it is fresh;
/// the consumer asks for a new one, and the gate decides again.
pub const TOKEN_SECONDS: i64 = 600;
/// Longest validity of an agreement that a node signs, seconds (366 days).
pub const AGREEMENT_SECONDS_MAX: i64 = 366 * 86_400;
/// Validity that a consumer asks for when nobody says otherwise, seconds (90 days).
pub const AGREEMENT_SECONDS_DEFAULT: i64 = 90 * 86_400;
/// Wait before the first retry of an undelivered message.
pub const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait between two tries.
pub const RETRY_CAP: Duration = Duration::from_secs(60);
/// Age at which an undelivered message is given up, seconds (7 days).
pub const OUTBOX_AGE_SECONDS_MAX: i64 = 7 * 86_400;
/// How long an invitation stays open, seconds (one day).
pub const INVITATION_SECONDS: i64 = 86_400;
/// Unfinished exchanges that one consumer may hold open here.
pub const OPEN_EXCHANGES_PER_PEER_MAX: usize = 1_000;
/// Longest life of a signed address, seconds (an hour): an address is a credential that gets into logs and histories.
pub const LINK_SECONDS_MAX: u32 = 3_600;
/// How long files that lie ready are kept, seconds (one day).
pub const RELEASE_SECONDS: i64 = 86_400;
/// Lots of files that lie ready at once: each may be as large as its dataset.
pub const RELEASES_MAX: usize = 200;
/// Views that are computed at once: each may use the engine's memory limit.
pub const VIEWS_AT_ONCE: usize = 2;
/// Views that are computed at once for the public door: strangers in numbers must not keep peers waiting.
pub const PUBLIC_VIEWS_AT_ONCE: usize = 1;
/// Questions of the public within a minute, all together: each is kept in the ledger. A page of people at their spreadsheets
/// asks less; who asks more registers as a party.
pub const PUBLIC_QUESTIONS_PER_MINUTE: u32 = 300;
/// Questions of one party within a minute: a report of many tables asks some dozens at once.
pub const PARTY_QUESTIONS_PER_MINUTE: u32 = 600;
/// Bytes of answers that are kept for one caller, for its next pages: a few large tables.
pub const DIRECT_BYTES_MAX: u64 = 8 << 30;
/// How long they are kept, seconds: as long as an address of a next page is good.
pub const DIRECT_SECONDS: i64 = 3_600;
/// Lots of files that lie ready for one recipient: no one takes the places of all others.
pub const RELEASES_PER_RECIPIENT_MAX: usize = 60;
/// Looks through the whole catalog that the public door works on at once.
pub const PUBLIC_LOOKS_AT_ONCE: usize = 2;
/// Received rows that are written in another form at once, for programs of the agency. Apart from [`VIEWS_AT_ONCE`]: a slow
/// reader here must not keep peers waiting.
pub const CONVERSIONS_AT_ONCE: usize = 2;
/// Long looks at rules (lint, impact, who, diff, many decisions, compliance) that the local door works on at once: each keeps
/// a core busy for seconds.
pub const LOOKS_AT_ONCE: usize = 2;
/// Wall clock that one governed view may take.
pub const VIEW_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Rows in one listing of the local door.
pub const LIST_PAGE: usize = 500;
/// How long spool files of a finished transfer are kept, seconds (one day): a consumer may come back for a chunk.
pub const SPOOL_SECONDS: i64 = 86_400;
/// How often the monitor asks the gate again about running transfers. Revocation must be felt within 60 s.
pub const MONITOR_PERIOD: Duration = Duration::from_secs(15);
/// How long a node waits at shutdown for requests in flight.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Newest entries of the ledger that one look at compliance counts: some seconds of reading.
pub const COMPLIANCE_ENTRIES_MAX: u64 = 1_000_000;
/// Questions that an impact replays when nothing is said, and at most. Each takes about 1 KiB of memory and two decisions.
pub const IMPACT_QUESTIONS: usize = 10_000;
/// See [`IMPACT_QUESTIONS`].
pub const IMPACT_QUESTIONS_MAX: usize = 100_000;
/// Changes of a diff that are told one by one.
pub const DIFF_CHANGES_MAX: usize = 5_000;
/// Questions that the local door decides in one call: some tens of milliseconds of work, and an answer of a few MB.
pub const QUESTIONS_AT_ONCE_MAX: usize = 1_000;
/// Questions of one file of `tram policy decide`.
pub const QUESTIONS_MAX: usize = 100_000;
/// Longest line of such a file.
pub const QUESTION_BYTES_MAX: usize = 4 << 10;
/// Largest rule set with its test table, bytes of its files as JSON; the loader has limits of its own.
pub const RULE_SET_BYTES_MAX: usize = 64 << 20;
/// Drafts of rule sets that are open at once: people look at each of them.
pub const OPEN_DRAFTS_MAX: usize = 50;
/// Signatures under one draft: each person has one, and there are few.
pub const ANSWERS_MAX: usize = 50;
/// Longest note on a draft, characters.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// People in the register of those who may say something about rule sets, those who left included.
pub const PEOPLE_MAX: usize = 1_000;
/// Longest name of a person, characters.
pub const NAME_CHARS_MAX: usize = 100;
/// How long an offer is taken after other rules came into force, seconds: reading the catalog and asking, each over a slow
/// line. The rules that decide are those in force then.
pub const OFFER_SECONDS: i64 = 120;
/// Most rows of one exchange that are taken in, bytes: as much as the largest snapshot of a source. A provider that never ends
/// its rows would fill the disk.
pub const RECEIVED_BYTES_MAX: u64 = 64 << 30;
/// Largest snapshot of a source, bytes: what one disk of an old machine still has room for.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 << 30;
/// Rows of a live source that lie in the node, for its contract and its profile.
pub const SAMPLE_ROWS: u64 = 10_000;
/// Longest reading of a live source for one question, seconds: it keeps one of the few places for views.
pub const LIVE_SECONDS: u64 = 900;
/// Longest that one look at the local door may wait for a change, seconds: less than clients and proxies wait.
pub const LOOK_SECONDS_MAX: u64 = 30;
/// Subscriptions of one node: each is looked at whenever an exchange changes.
pub const SUBSCRIPTIONS_MAX: usize = 200;
/// Most remarks on a source that are kept.
pub const REMARKS_MAX: usize = 50;
/// First pause before a message to a connector is sent again: connectors take the next message some 100 ms after their own.
pub const CONNECTOR_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a message to a connector is sent again: with [`CONNECTOR_TRIES_MAX`] it is over within half an hour.
pub const CONNECTOR_PAUSE_MAX: Duration = Duration::from_secs(300);
/// Tries of a message that does not reach a connector, or that it cannot take now.
pub const CONNECTOR_TRIES_MAX: u32 = 15;
/// Tries of a message that a connector refuses: it may have been too early for it, by seconds and not by minutes.
pub const CONNECTOR_TRIES_REFUSED_MAX: u32 = 6;
/// How long one message to a connector may take: the clients of the field wait as long.
pub const CONNECTOR_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a connector's answer: a page of its catalog, as large as a message may be.
pub const CONNECTOR_ANSWER_BYTES_MAX: usize = exchange::limits::MESSAGE_BYTES_MAX;
/// How long a data address is served after its transfer started, seconds: a day, for consumers that pull at night.
pub const CONNECTOR_DATA_SECONDS: i64 = 86_400;

/// Seconds that a connector's DID document is kept: a key that is taken back counts five minutes more at most.
pub const DID_DOCUMENT_KEPT_S: i64 = 300;
/// Seconds that a failure to get one is kept, so that tokens in a row do not become requests in a row.
pub const DID_FAILURE_KEPT_S: i64 = 30;
/// DID documents that are kept; each connector has one and its issuers a few, in all far fewer.
pub const DID_DOCUMENTS_MAX: usize = 1024;
/// How far ahead the second up to which tokens may have been taken is written: one write in so many seconds, and after a
/// restart tokens are refused for as long.
pub const DID_MARK_AHEAD_S: i64 = 2;
/// Credentials, issuers and schemas, each, that a registration may name.
pub const PROOF_ENTRIES_MAX: usize = 32;
/// Longest name of a credential's type, bytes.
pub const CREDENTIAL_TYPE_BYTES_MAX: usize = 128;
