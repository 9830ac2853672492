//! The words of `tram peer …`, `tram catalog …` and `tram approval …`, as types: what goes on with other agencies.

use clap::Subcommand;

/// `tram approval …`
#[derive(Debug, Subcommand)]
pub enum ApprovalCommand {
    /// What waits, and what was said.
    List,
    /// Say yes in a role.
    Give {
        /// Id, as the list shows it.
        approval: String,
        /// In which role, as the list shows it.
        #[arg(long)]
        role: String,
        /// Who says it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Say no in a role; the reason is told to the asker.
    Refuse {
        /// Id, as the list shows it.
        approval: String,
        /// In which role, as the list shows it.
        #[arg(long)]
        role: String,
        /// Who says it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Take an answer back: running transfers that rest on it end, and the next request asks anew.
    Withdraw {
        /// Id, as the list shows it.
        approval: String,
        /// Who takes it back.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// `tram peer …`
#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// Print an invitation code for another agency.
    Invite {
        /// Groups that rules may name, given to the agency that accepts.
        #[arg(long, value_delimiter = ',')]
        group: Vec<String>,
        /// Only for this participant, which may come with other keys than it had [default: for anybody new].
        #[arg(long = "for", value_name = "ID")]
        made_for: Option<String>,
    },
    /// Accept another agency's invitation.
    Accept {
        /// The code.
        code: String,
        /// Groups that rules may name, given to the inviting agency.
        #[arg(long, value_delimiter = ',')]
        group: Vec<String>,
        /// Only if the code is of this participant, which may have other keys than it had.
        #[arg(long = "for", value_name = "ID")]
        made_for: Option<String>,
    },
    /// List the peers.
    List,
    /// Stop trusting a peer, at once.
    Revoke {
        /// Participant id.
        participant: String,
    },
}

/// `tram catalog …`
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Search own and peers' datasets ("giao thong" finds "giao thông").
    Search {
        /// Words; none lists everything.
        words: Vec<String>,
        #[command(flatten)]
        /// What narrows it.
        only: CatalogFilters,
        /// In which order.
        #[arg(long, value_enum, default_value_t = CatalogSort::Best)]
        sort: CatalogSort,
        /// Count publishers, themes, keywords, ways of sharing and classifications of all that is found.
        #[arg(long)]
        facets: bool,
        /// Use what is known instead of asking the peers first.
        #[arg(long)]
        cached: bool,
    },
    /// Show one dataset as its agency described it, and when it was last seen so.
    Show {
        /// `PARTICIPANT/DATASET`, as `tram catalog search` shows it.
        id: String,
        /// With the answers that the agency signed, for an auditor.
        #[arg(long)]
        evidence: bool,
    },
}

/// What is found must be of this kind.
#[derive(Debug, clap::Args)]
pub struct CatalogFilters {
    /// Only of this participant.
    #[arg(long)]
    pub participant: Option<String>,
    /// Only of this theme; marks may be left out.
    #[arg(long)]
    pub theme: Option<String>,
    /// Only with this keyword; marks may be left out.
    #[arg(long)]
    pub keyword: Option<String>,
    /// Only what is shared in this way: `open`, `default` or `special`.
    #[arg(long)]
    pub sharing: Option<String>,
    /// Only of this classification, 0 to 9.
    #[arg(long)]
    pub classification: Option<u8>,
}

/// Orders of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CatalogSort {
    /// What fits best first.
    Best,
    /// By title, in the order of the Vietnamese alphabet.
    Title,
    /// What was read last first.
    Newest,
}
