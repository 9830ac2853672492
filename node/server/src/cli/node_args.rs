//! The words of `tram init` and `tram demo`, as types.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// `tram init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Participant id: an IRI, for example urn:agency:vn:h26.18.
    #[arg(long)]
    pub id: String,
    /// Name of the agency, Vietnamese.
    #[arg(long)]
    pub name: String,
    /// Name of the agency, English [default: the Vietnamese name].
    #[arg(long)]
    pub name_en: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    #[arg(long, default_value = "VN")]
    pub country: String,
    /// Address of the peer door.
    #[arg(long, default_value = "127.0.0.1:7443", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Base URL under which peers reach this node [default: https://<listen>].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Address of the local door (loopback only).
    #[arg(long, default_value = "127.0.0.1:7080", value_name = "ADDR:PORT")]
    pub local: SocketAddr,
    /// Open the public door too, on a loopback address; docs/public-door.md tells how to open it to the world.
    #[arg(long, value_name = "ADDR:PORT")]
    pub public: Option<SocketAddr>,
}

/// `tram demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the story instead of leaving the nodes up.
    #[arg(long)]
    pub once: bool,
    /// Seed of the generated data: the same seed makes the same rows.
    #[arg(long, default_value_t = 20_261_123)]
    pub seed: u64,
    /// Folder for the three nodes [default: a fresh folder under the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
}
