//! One server, asked by GET: never another, never by a redirect, never for longer or more than was allowed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;
use zeroize::Zeroizing;

use crate::limits::{ATTEMPTS_MAX, CONNECT_SECONDS, FETCHED_BYTES_MAX, IDLE_SECONDS, RETRY_SECONDS_MAX};
use crate::remote::{Deadline, quoted, too_slow};
use crate::{IntakeError, Secret, tls};

/// Most redirects of one request.
const REDIRECTS_MAX: u32 = 5;

/// A client of one server.
pub(crate) struct Client {
    agent: ureq::Agent,
    server: url::Origin,
    headers: Vec<(String, Zeroizing<String>)>,
    deadline: Deadline,
    left: u64,
}

/// An answer whose body was not read yet.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Box<dyn Read>,
}

/// Refuses addresses that are not HTTPS; HTTP passes with `allow_http` to this machine or a private network.
///
/// # Errors
/// [`IntakeError::Origin`].
pub(crate) fn address(text: &str, allow_http: bool) -> Result<Url, IntakeError> {
    let url = Url::parse(text).ok().filter(|url| url.has_host());
    let Some(url) = url else {
        return Err(IntakeError::origin("địa chỉ không hợp lệ", "the address is not valid"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(IntakeError::origin(
            "không ghi mật khẩu trong địa chỉ; hãy dùng `bearer` hoặc `headers`",
            "no password in an address; use `bearer` or `headers`",
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http => Ok(url),
        _ => Err(IntakeError::origin(
            "địa chỉ phải là https; http chỉ dùng trong mạng riêng, với `allow_http = true`",
            "the address has to be https; http is for a private network, with `allow_http = true`",
        )),
    }
}

/// This machine, or a network that is nobody else's (RFC 1918, RFC 4193).
fn private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

impl Client {
    /// A client of the server of `url`. Credentials are read now; files with them are taken from `base`.
    ///
    /// # Errors
    /// [`IntakeError::Secret`]; [`IntakeError::Origin`] when HTTP would leave the private network.
    pub(crate) fn new(
        url: &Url,
        headers: &BTreeMap<String, Secret>,
        bearer: Option<&Secret>,
        ca: Option<&Path>,
        base: &Path,
        deadline: Deadline,
    ) -> Result<Self, IntakeError> {
        let mut sent = Vec::new();
        for (name, secret) in headers {
            sent.push((name.clone(), secret.read(base)?));
        }
        if let Some(secret) = bearer {
            sent.push((
                "authorization".into(),
                Zeroizing::new(format!("Bearer {}", secret.read(base)?.as_str())),
            ));
        }
        let mut config = ureq::Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent("tram")
            .timeout_connect(Some(Duration::from_secs(CONNECT_SECONDS)))
            .timeout_per_read(Some(Duration::from_secs(IDLE_SECONDS)))
            .timeout_recv_response(Some(Duration::from_secs(IDLE_SECONDS)));
        if url.scheme() == "https" {
            let roots: Vec<_> =
                tls::authorities(ca)?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::from(roots))
                .unversioned_rustls_crypto_provider(tls::provider());
            config = config.https_only(true).tls_config(tls.build());
        } else {
            only_private(url)?;
        }
        let agent = config.build().new_agent();
        Ok(Self { agent, server: url.origin(), headers: sent, deadline, left: FETCHED_BYTES_MAX })
    }

    /// Whether an address is of this client's server.
    pub(crate) fn serves(&self, url: &Url) -> bool {
        url.origin() == self.server
    }

    /// Asks for `url`; a server that puts it off is asked again a few times.
    ///
    /// # Errors
    /// [`IntakeError::Unreachable`], or [`IntakeError::Origin`] for an address that the server does not have.
    pub(crate) fn get(&mut self, url: &Url, headers: &[(&str, &str)]) -> Result<Answer, IntakeError> {
        let (mut url, mut redirects, mut attempts) = (url.clone(), 0, 1);
        loop {
            if !self.serves(&url) {
                return Err(elsewhere(&url));
            }
            let answer = self.once(&url, headers)?;
            let status = answer.0;
            if status.is_redirection() && redirects < REDIRECTS_MAX {
                let to = answer.1.headers.get("location").and_then(|to| to.to_str().ok());
                url = to.and_then(|to| url.join(to).ok()).ok_or_else(|| refused(status, &url))?;
                redirects += 1;
            } else if put_off(status) && attempts < ATTEMPTS_MAX {
                let wait = wait(&answer.1.headers, attempts);
                if self.deadline.left(Duration::MAX)? <= wait {
                    return Err(too_slow());
                }
                std::thread::sleep(wait);
                attempts += 1;
            } else if status == StatusCode::OK {
                return Ok(answer.1);
            } else {
                return Err(refused(status, &url));
            }
        }
    }

    fn once(&mut self, url: &Url, headers: &[(&str, &str)]) -> Result<(StatusCode, Answer), IntakeError> {
        let mut request = self.agent.get(url.as_str());
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let left = self.deadline.left(Duration::MAX)?;
        let answer = request.config().timeout_global(Some(left)).build().call();
        let (head, body) = answer.map_err(|e| failed(&e))?.into_parts();
        let encoding = head.headers.get("content-encoding").map(|value| value.as_bytes());
        if encoding.is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
            return Err(IntakeError::unreachable(
                "máy chủ gửi dữ liệu nén dù không được yêu cầu; hãy tắt nén ở máy chủ",
                "the server sends compressed data although nobody asked; turn that off at the server",
            ));
        }
        let body = Box::new(Limited { body: body.into_reader(), left: self.left });
        Ok((head.status, Answer { headers: head.headers, body }))
    }

    /// Counts what was read against the limit of the whole reading.
    pub(crate) fn spend(&mut self, bytes: u64) -> Result<(), IntakeError> {
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 { Err(too_much()) } else { Ok(()) }
    }
}

/// A body that ends with an error, not silently, at the limit.
struct Limited<R> {
    body: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.body.read(buf)?;
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other("too many bytes"))?;
        Ok(n)
    }
}

/// Reads a body of at most `max` bytes.
///
/// # Errors
/// [`IntakeError::Unreachable`] when it breaks off or is larger.
pub(crate) fn whole(body: Box<dyn Read>, max: u64) -> Result<Vec<u8>, IntakeError> {
    let mut bytes = Vec::new();
    body.take(max + 1).read_to_end(&mut bytes).map_err(|e| broken(&e))?;
    if bytes.len() as u64 > max { Err(too_much()) } else { Ok(bytes) }
}

/// A body broke off.
pub(crate) fn broken(error: &io::Error) -> IntakeError {
    let why = quoted(&error.to_string());
    IntakeError::unreachable(
        format!("đang nhận thì đứt: {why}; hãy thử lại sau"),
        format!("the answer broke off: {why}; try again later"),
    )
}

fn only_private(url: &Url) -> Result<(), IntakeError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let found = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs();
    let found =
        found.map_err(|e| IntakeError::unreachable(format!("{host}: {e}"), format!("{host}: {e}")))?;
    if found.into_iter().all(|address| private(address.ip())) {
        return Ok(());
    }
    Err(IntakeError::origin(
        format!("`{host}` không ở trong mạng riêng nên phải dùng https"),
        format!("`{host}` is not in a private network and has to be https"),
    ))
}

fn put_off(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

/// How long to wait: as the server says in seconds (RFC 9110, §10.2.3), else 1, 2, 4 … seconds.
fn wait(headers: &HeaderMap, attempt: u32) -> Duration {
    let said = headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let seconds = said.unwrap_or(1 << attempt.saturating_sub(1).min(6));
    Duration::from_secs(seconds.min(RETRY_SECONDS_MAX))
}

fn too_much() -> IntakeError {
    IntakeError::unreachable(
        "máy chủ gửi quá nhiều dữ liệu nên đã dừng đọc; hãy chia nhỏ trang",
        "the server sent too much and reading stopped; ask for smaller pages",
    )
}

/// Another server was named. Credentials would go with us.
pub(crate) fn elsewhere(url: &Url) -> IntakeError {
    let host = quoted(url.host_str().unwrap_or_default());
    IntakeError::unreachable(
        format!("máy chủ chuyển hướng sang nơi khác (`{host}`) nên không đi theo; nếu đúng thì sửa địa chỉ"),
        format!(
            "the server points to another place (`{host}`), which is not followed; if that is right, change the address"
        ),
    )
}

fn refused(status: StatusCode, url: &Url) -> IntakeError {
    // Without the query, where keys and signatures may be.
    let (status, path) = (status.as_u16(), quoted(url.path()));
    match status {
        401 | 403 => IntakeError::unreachable(
            format!("máy chủ không cho vào ({status}) `{path}`; hãy xem lại thông tin đăng nhập và quyền"),
            format!("the server does not let us in ({status}) to `{path}`; see credentials and rights"),
        ),
        404 | 410 => IntakeError::origin(
            format!("máy chủ không có `{path}` ({status}); hãy xem lại địa chỉ"),
            format!("the server has no `{path}` ({status}); see the address"),
        ),
        _ => IntakeError::unreachable(
            format!("máy chủ trả lời {status} cho `{path}`; hãy thử lại sau"),
            format!("the server answers {status} for `{path}`; try again later"),
        ),
    }
}

fn failed(error: &ureq::Error) -> IntakeError {
    let why = match error {
        // These quote the address, perhaps with keys.
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => "bad address".to_owned(),
        ureq::Error::Timeout(_) => return too_slow(),
        other => quoted(&other.to_string()),
    };
    IntakeError::unreachable(
        format!("không nối được tới máy chủ: {why}; hãy xem lại địa chỉ và đường mạng"),
        format!("the server cannot be reached: {why}; see the address and the network"),
    )
}
