//! The words of the command line, as types. Each verb family has its own file beside this one.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use super::ledger_args::LedgerCommand;
pub use super::life_args::{ApplyArgs, LifeCommand, PersonCommand};
use super::line::LineCommand;
pub use super::node_args::{DemoArgs, InitArgs};
pub use super::peer_args::{ApprovalCommand, CatalogCommand, PeerCommand};
pub use super::policy_args::{ComplianceArgs, PackCommand, PolicyCommand};
pub use super::proof_args::{EscrowCommand, ReceiptCommand};
pub use super::question_args::{QuestionAskArgs, QuestionCommand};
pub use super::source_args::SourceCommand;

/// A federated data-sharing node with access governance.
#[derive(Debug, Parser)]
#[command(name = "tram", version, about, max_term_width = 110, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 refused by the rules, 4 verification failed, \
5 peer unreachable, 6 queued or partial.\nResults go to stdout, talk goes to stderr; --json makes results machine-readable."
)]
pub struct Cli {
    /// Folder of the node.
    #[arg(long, global = true, env = "TRAM_DIR", default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Machine-readable results.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verb families.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a node: its folder, keys, store, ledger and configuration.
    Init(InitArgs),
    /// Run the node until it is told to stop (Ctrl-C or SIGTERM).
    Serve,
    /// Tell whether the node runs and how it is.
    Status,
    /// Run the story of three agencies on this machine.
    Demo(DemoArgs),
    /// Datasets of this agency.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Where datasets are fetched from.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Lines to peers: caps, low-data mode, what waits for the network.
    #[command(subcommand)]
    Line(LineCommand),
    /// Agencies that this node trusts.
    #[command(subcommand)]
    Peer(PeerCommand),
    /// Those without a node who may ask at the public door, and their keys.
    #[command(subcommand)]
    Party(super::party::PartyCommand),
    /// Parties that speak the Dataspace Protocol with connectors of other makes.
    #[command(subcommand)]
    Connector(super::connector::ConnectorCommand),
    /// Catalogs, one's own and the peers'.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Exchanges of data.
    #[command(subcommand)]
    Exchange(ExchangeCommand),
    /// Questions to several sources at once, joined here.
    #[command(subcommand)]
    Question(QuestionCommand),
    /// Keys by which several providers give one pseudonym for one person.
    #[command(subcommand)]
    Linkage(super::linkage::LinkageCommand),
    /// Copies of peers' datasets that the node keeps current by itself.
    #[command(subcommand)]
    Subscription(super::subscription::SubscriptionCommand),
    /// Receipts, verified without a node or a network.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Keys of rows that must be acknowledged first, in an auditor's hands: for auditors, no node, no network.
    #[command(subcommand)]
    Escrow(EscrowCommand),
    /// The tamper-evident ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Rules: who may have what, for which purpose.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Requests that wait for a person's approval.
    #[command(subcommand)]
    Approval(ApprovalCommand),
    /// People who may say something about rule sets.
    #[command(subcommand)]
    Person(PersonCommand),
}

/// `tram dataset …`
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Add a dataset from a file: its schema is inferred, shown, and written as an editable data contract.
    Add(Box<DatasetAddArgs>),
    /// List the datasets.
    List,
    /// Show one dataset.
    Show {
        /// Dataset name.
        dataset: String,
    },
    /// Read the edited data contract and check the whole file against it.
    Validate {
        /// Dataset name.
        dataset: String,
    },
    /// Offer the dataset in the catalog.
    Publish {
        /// Dataset name.
        dataset: String,
    },
    /// Take the dataset out of the catalog.
    Withdraw {
        /// Dataset name.
        dataset: String,
    },
    /// Show which versions of its rows and contract are kept, how large they are and who needs each.
    Versions {
        /// Dataset name.
        dataset: String,
    },
    /// Let an older version of the contract end on a day: agreements on it are served until then.
    End {
        /// Dataset name.
        dataset: String,
        /// The older version of the contract.
        #[arg(long, value_name = "N")]
        contract: u32,
        /// The first day on which it is served no more, UTC.
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: String,
    },
}

/// `tram dataset add`
#[derive(Debug, Args)]
pub struct DatasetAddArgs {
    /// The file: CSV, NDJSON, JSON or Parquet; or the description of a source (.toml, see `tram source check`).
    pub file: PathBuf,
    /// Dataset name: lower-case letters, digits and dashes [default: made from the file's name].
    #[arg(long)]
    pub name: Option<String>,
    /// Title, Vietnamese [default: the name].
    #[arg(long)]
    pub title: Option<String>,
    /// Title, English [default: the Vietnamese title].
    #[arg(long)]
    pub title_en: Option<String>,
    /// Description, Vietnamese.
    #[arg(long)]
    pub description: Option<String>,
    /// Keywords.
    #[arg(long, value_delimiter = ',')]
    pub keyword: Vec<String>,
    /// How it is shared: open to all, by default between agencies, on special request, or secret [default: special].
    #[arg(long, value_enum)]
    pub kind: Option<KindArg>,
    /// Classification, 0 (public) to 9 [default: 9, the strictest].
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub class: Option<u8>,
    /// Whether it holds personal data [default: as the names of its columns look].
    #[arg(long, value_enum)]
    pub personal: Option<PersonalArg>,
    /// Whether it is important or core data (Law on Data, Art. 13) [default: other].
    #[arg(long, value_enum)]
    pub data_class: Option<DataClassArg>,
    /// Sector or theme; rules name it after `se:` ("Y tế" is `se:y-te`).
    #[arg(long)]
    pub theme: Option<String>,
    /// Collections that rules may name.
    #[arg(long, value_delimiter = ',')]
    pub collection: Vec<String>,
    /// Tags that rules may name.
    #[arg(long, value_delimiter = ',')]
    pub tag: Vec<String>,
    /// Column that tells one person from another, for aggregates (distinct values count).
    #[arg(long, value_name = "COLUMN", conflicts_with = "subject_count")]
    pub subject_key: Option<String>,
    /// Column that holds how many persons a row stands for, for aggregates (values are summed).
    #[arg(long, value_name = "COLUMN")]
    pub subject_count: Option<String>,
    /// Columns by which aggregates may be grouped.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub group_by: Vec<String>,
    /// Reference of the data-protection impact assessment, where one is needed.
    #[arg(long)]
    pub dpia: Option<String>,
    /// Let consumers acknowledge the rows before they can read them: rows travel sealed, the key comes afterwards.
    #[arg(long)]
    pub receipt_first: bool,
    /// Column by which the dataset grows: rows are only added, with growing values. Who keeps a copy then gets the new rows alone.
    #[arg(long, value_name = "COLUMN")]
    pub append_by: Option<String>,
    /// Leave the file where it is instead of taking a copy into the node's folder.
    #[arg(long)]
    pub in_place: bool,
}

/// Whether data is important or core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataClassArg {
    /// Neither.
    Other,
    /// Important data.
    Important,
    /// Core data: never handed out as a copy, and never abroad.
    Core,
}

/// How a dataset is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// Open data.
    Open,
    /// Shared by default between agencies.
    Default,
    /// On special request.
    Special,
    /// Never leaves.
    Secret,
}

/// Whether a dataset holds personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PersonalArg {
    /// None.
    None,
    /// Basic personal data.
    Basic,
    /// Sensitive personal data.
    Sensitive,
}

/// `tram exchange …`
#[derive(Debug, Subcommand)]
pub enum ExchangeCommand {
    /// Get a dataset from a peer: agreement, transfer, receipts.
    Get(Box<ExchangeGetArgs>),
    /// List exchanges.
    List,
    /// Show one exchange.
    Show {
        /// Exchange id.
        exchange: String,
    },
    /// Show what this node decided about an exchange; with --receipts, write a receipt of each decision.
    Decisions {
        /// Exchange id.
        exchange: String,
        /// Folder for the receipts.
        #[arg(long, value_name = "DIR")]
        receipts: Option<PathBuf>,
    },
    /// Destroy what opens the committed fields, the request and the answer of an exchange in the ledger, for good. The entries
    /// stay and prove themselves; the other party has its own copy and erases for itself.
    Erase {
        /// Exchange id.
        exchange: String,
        /// Why: retention (its time is over), request (of the person concerned), order (of an authority).
        #[arg(long)]
        reason: String,
    },
    /// Write one file for the auditor who holds the sealed key of rows that this node acknowledged and cannot open, because
    /// the provider does not hand over the key. The ledger says that it was given out.
    Handover {
        /// Exchange id.
        exchange: String,
        /// What you say to the auditor: what went wrong.
        #[arg(long, value_name = "TEXT")]
        says: Option<String>,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bring a copy up by what an exchange brought (`get --since`), and hold it against the digest that the provider signed.
    Apply {
        /// Exchange id.
        exchange: String,
        /// The copy.
        #[arg(long, value_name = "FILE")]
        copy: PathBuf,
        /// Let the whole take the place of a file that is there.
        #[arg(long)]
        replace: bool,
    },
    /// Go on with an exchange that waits for the network, or take home the rows of one that is complete.
    Resume {
        /// Exchange id.
        exchange: String,
        /// File for the rows.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Folder for the receipts [default: beside the rows].
        #[arg(long, value_name = "DIR")]
        receipts: Option<PathBuf>,
        /// Let the rows take the place of another file that is there.
        #[arg(long)]
        replace: bool,
        /// Fetch at once, outside the hours of big transfers too (`tram line set --big-mb`).
        #[arg(long)]
        any_hour: bool,
    },
}

/// `tram exchange get`
#[derive(Debug, Args)]
pub struct ExchangeGetArgs {
    /// What: PARTICIPANT/DATASET, for example urn:agency:vn:hanoi-env/air-hourly.
    pub what: String,
    /// Purpose, for example air-quality-management.
    #[arg(long)]
    pub purpose: Option<String>,
    /// Legal basis, for example law.
    #[arg(long)]
    pub basis: Option<String>,
    /// For which unit of this agency; stated to the provider, whose rules may ask for it.
    #[arg(long)]
    pub unit: Option<String>,
    /// In which role the person asks, for example doctor.
    #[arg(long)]
    pub role: Option<String>,
    /// Up to which class the person is cleared.
    #[arg(long, value_name = "0-9")]
    pub clearance: Option<u8>,
    /// Where the data will be used [default: this agency's country].
    #[arg(long)]
    pub place: Option<String>,
    /// Only these columns.
    #[arg(long, value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows for which this holds: "COLUMN OP VALUE" with = <> < <= > >=, "COLUMN in (A, B)", "COLUMN is null"; repeat for and.
    #[arg(long = "where", value_name = "CONDITION")]
    pub filter: Vec<String>,
    /// Group by these columns; a part of a time as "month(COLUMN) as NAME" (year, month, day, hour, month_of_year, hour_of_day).
    #[arg(long, value_delimiter = ',')]
    pub group_by: Vec<String>,
    /// Measures of the groups: count, sum(COLUMN), avg(COLUMN), min(COLUMN), max(COLUMN), each with " as NAME".
    #[arg(long, value_delimiter = ',')]
    pub measure: Vec<String>,
    /// At most so many rows.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Each row of the answer once.
    #[arg(long)]
    pub distinct: bool,
    /// Sort by these columns of the answer: COLUMN, or "COLUMN desc".
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub order_by: Vec<String>,
    /// The same as one text in a small part of SQL: "select district, sum(cases) from this_dataset group by district".
    #[arg(long, conflicts_with_all = ["columns", "filter", "group_by", "measure", "limit", "distinct", "order_by"])]
    pub sql: Option<String>,
    /// Ask for a copy to be kept current: `none` for the first one, `last` (or the id of the exchange that brought the copy)
    /// for what changed since; `tram exchange apply` brings the copy up.
    #[arg(long, value_name = "none|last|EXCHANGE")]
    pub since: Option<String>,
    /// With --since: let another file that is there under the name of --out give way.
    #[arg(long, requires = "since")]
    pub replace: bool,
    /// Make a new agreement although one stands: on the version of the contract that is in force.
    #[arg(long)]
    pub renew: bool,
    /// Ask for a copy of the whole dataset (action `download`) instead of an answer (action `query`).
    #[arg(long)]
    pub download: bool,
    /// Form of the rows.
    #[arg(long, value_enum, default_value_t = FormatArg::Csv)]
    pub format: FormatArg,
    /// File for the rows.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Folder for the receipts [default: beside the rows].
    #[arg(long, value_name = "DIR")]
    pub receipts: Option<PathBuf>,
    /// Who asks: both ledgers hold a commitment to it only, which is opened to auditors when needed.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The person whom the data is about: a commitment likewise.
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// The case or file that this belongs to: a commitment likewise.
    #[arg(long, value_name = "NUMBER")]
    pub case: Option<String>,
    /// When the peer cannot be reached: keep the exchange waiting for the network (exit code 6) instead of giving up (5).
    #[arg(long)]
    pub queue: bool,
    /// How long to wait for the end, seconds; the exchange goes on afterwards (exit code 6).
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub wait: u64,
}

/// Form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC stream.
    Arrow,
    /// One JSON array.
    Json,
    /// A spreadsheet (Excel).
    Xlsx,
    /// Comma-separated values with a mark that lets Excel read Vietnamese letters.
    CsvBom,
}

impl FormatArg {
    /// The word that nodes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Json => "json",
            Self::Xlsx => "xlsx",
            Self::CsvBom => "csv-bom",
        }
    }
}
