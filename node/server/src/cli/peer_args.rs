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
        /// Only this participant.
        #[arg(long)]
        participant: Option<String>,
        /// Use what is known instead of asking the peers first.
        #[arg(long)]
        cached: bool,
    },
}
