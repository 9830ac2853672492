//! The way to the server: over TLS, or without it on this machine only.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::budget::{Budget, Metered};
use super::{Postgresql, Tls, session};
use crate::limits::CONNECT_SECONDS;
use crate::{IntakeError, tls};

/// Where the server listens, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Its socket on this machine.
    Socket(PathBuf),
    /// Over the network, with TLS.
    Secured,
    /// Over this machine's own interface, without.
    Plain,
}

impl Target {
    /// The way that a description asks for.
    pub(super) fn of(origin: &Postgresql) -> Result<Self, IntakeError> {
        if origin.host.is_empty() || origin.database.is_empty() || origin.user.is_empty() {
            return Err(IntakeError::origin(
                "cần đủ `host`, `database` và `user`",
                "`host`, `database` and `user` are all needed",
            ));
        }
        if origin.host.starts_with('/') {
            return Ok(Self::Socket(Path::new(&origin.host).join(format!(".s.PGSQL.{}", origin.port))));
        }
        let here = origin.host.parse::<IpAddr>().map_or(origin.host == "localhost", |ip| ip.is_loopback());
        match origin.tls {
            Tls::Require => Ok(Self::Secured),
            Tls::Off if here => Ok(Self::Plain),
            Tls::Off => Err(IntakeError::origin(
                "chỉ được tắt TLS (`tls = \"off\"`) khi máy chủ ở ngay trên máy này; hãy bỏ dòng đó",
                "TLS may be off (`tls = \"off\"`) only for a server on this machine; take that line out",
            )),
        }
    }
}

/// Logs in. The connection is driven by the runtime that this is called on.
pub(super) async fn connect(origin: &Postgresql, base: &Path, budget: Budget) -> Result<Client, IntakeError> {
    let target = Target::of(origin)?;
    let mut config = Config::new();
    config.dbname(&origin.database).user(&origin.user).application_name("tram");
    if let Some(password) = &origin.password {
        config.password(password.read(base)?.as_bytes());
    }
    match target {
        Target::Socket(path) => {
            let socket = within(UnixStream::connect(path)).await?;
            login(config.ssl_mode(SslMode::Disable), socket, NoTls, budget).await
        }
        Target::Plain => {
            let socket = dial(origin, true).await?;
            login(config.ssl_mode(SslMode::Disable), socket, NoTls, budget).await
        }
        Target::Secured => {
            let ca = origin.ca.as_ref().map(|ca| base.join(ca));
            let mut maker = MakeRustlsConnect::new(tls::client(ca.as_deref())?);
            let tls = MakeTlsConnect::<Metered<TcpStream>>::make_tls_connect(&mut maker, &origin.host);
            let Ok(tls) = tls;
            let socket = dial(origin, false).await?;
            login(config.ssl_mode(SslMode::Require), socket, tls, budget).await
        }
    }
}

/// Connects to the server's address; to this machine only, if `here`, whatever its name resolves to.
async fn dial(origin: &Postgresql, here: bool) -> Result<TcpStream, IntakeError> {
    let name = (origin.host.as_str(), origin.port);
    let found = within(tokio::net::lookup_host(name)).await?;
    let addresses: Vec<SocketAddr> = found.filter(|a| !here || a.ip().is_loopback()).collect();
    let socket = within(TcpStream::connect(&*addresses)).await?;
    // A request is one small packet.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

async fn within<T>(step: impl Future<Output = std::io::Result<T>>) -> Result<T, IntakeError> {
    let step = tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS), step).await;
    let step = step.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    step.map_err(|e| {
        IntakeError::unreachable(
            format!("không nối được tới máy chủ PostgreSQL: {e}; hãy xem lại `host`, `port` và đường mạng"),
            format!("the PostgreSQL server cannot be reached: {e}; see `host`, `port` and the network"),
        )
    })
}

async fn login<S, T>(config: &Config, socket: S, tls: T, budget: Budget) -> Result<Client, IntakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<Metered<S>>,
    T::Stream: Send + 'static,
{
    let login = config.connect_raw(Metered { socket, budget: budget.clone() }, tls);
    let login = tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS), login).await;
    let (client, connection) =
        login.map_err(|_| crate::remote::too_slow())?.map_err(|e| session::failed(&e, &budget))?;
    // How it ends is told to whoever waits on the client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_off_only_for_this_machine() {
        let of = |host: &str, tls: Tls| {
            let text = format!("host = {host:?}\ndatabase = \"d\"\nuser = \"u\"");
            let mut origin: Postgresql = toml::from_str(&text).unwrap();
            origin.tls = tls;
            Target::of(&origin)
        };
        for host in ["localhost", "127.0.0.1", "::1"] {
            assert_eq!(of(host, Tls::Off).unwrap(), Target::Plain);
            assert_eq!(of(host, Tls::Require).unwrap(), Target::Secured);
        }
        assert!(matches!(of("/run/postgresql", Tls::Require).unwrap(), Target::Socket(_)));
        for host in ["10.0.0.5", "db.example", "localhost.example", "127.0.0.1.example"] {
            assert_eq!(of(host, Tls::Require).unwrap(), Target::Secured);
            assert!(of(host, Tls::Off).is_err(), "{host}");
        }
    }
}
