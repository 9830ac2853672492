//! Finding an object and bringing it here whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rusty_s3::actions::{
    ListObjectsV2,
    list_objects_v2::{ListObjectsContent, ListObjectsV2Response},
};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use sha2::{Digest as _, Sha256};
use ureq::http::HeaderMap;

use super::{Newest, S3};
use crate::http::client::{Client, address, broken, whole};
use crate::limits::{LISTS_MAX, OBJECT_BYTES_MAX, PAGE_BYTES_MAX};
use crate::remote::{Deadline, quoted};
use crate::{IntakeError, Said};

/// How long a signed request may be used.
const SIGNED_FOR: Duration = Duration::from_secs(300);

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) bytes: u64,
    tag: Option<String>,
    time: String,
}

/// A bucket, with what signs.
pub(super) struct Store<'a> {
    origin: &'a S3,
    bucket: Bucket,
    credentials: Credentials,
    client: Client,
}

impl<'a> Store<'a> {
    pub(super) fn new(origin: &'a S3, base: &Path, deadline: Deadline) -> Result<Self, IntakeError> {
        let endpoint = address(&origin.endpoint, origin.allow_http)?;
        let ca = origin.ca.as_ref().map(|ca| base.join(ca));
        let client = Client::new(&endpoint, &BTreeMap::new(), None, ca.as_deref(), base, deadline)?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, origin.bucket.clone(), origin.region.clone());
        let bucket = bucket.map_err(|e| IntakeError::origin(e.to_string(), e.to_string()))?;
        let credentials =
            Credentials::new(origin.access_key.read(base)?.as_str(), origin.secret_key.read(base)?.as_str());
        Ok(Self { origin, bucket, credentials, client })
    }

    /// The object that the origin means.
    pub(super) fn find(&mut self) -> Result<Found, IntakeError> {
        let (prefix, exact) = match (&self.origin.key, &self.origin.prefix) {
            (Some(key), _) => (key.clone(), true),
            (None, prefix) => (prefix.clone().unwrap_or_default(), false),
        };
        let mut best: Option<Found> = None;
        let mut token: Option<String> = None;
        for _ in 0..LISTS_MAX {
            let mut list = ListObjectsV2::new(&self.bucket, Some(&self.credentials));
            list.with_prefix(prefix.as_str());
            if let Some(token) = &token {
                list.with_continuation_token(token.as_str());
            }
            let answer = self.client.get(&list.sign(SIGNED_FOR), &[])?;
            let body = whole(answer.body, PAGE_BYTES_MAX)?;
            self.client.spend(body.len() as u64)?;
            let listed = listing(body).ok_or_else(no_list)?;
            let fits = |key: &str| {
                if exact { key == prefix } else { key.starts_with(&prefix) && !key.ends_with('/') }
            };
            for content in listed.contents.into_iter().filter(|content| fits(&content.key)) {
                let found = found(content)?;
                best = Some(self.newer(best, found));
            }
            token = match listed.next_continuation_token {
                Some(next) if Some(&next) != token.as_ref() && !(exact && best.is_some()) => Some(next),
                _ => return best.ok_or_else(|| nothing(&prefix)),
            };
        }
        Err(no_list())
    }

    fn newer(&self, best: Option<Found>, found: Found) -> Found {
        let Some(best) = best else { return found };
        let later = match self.origin.newest {
            Newest::Name => found.key > best.key,
            // One store writes all its times in one form (RFC 3339, UTC).
            Newest::Time => (&found.time, &found.key) > (&best.time, &best.key),
        };
        if later { found } else { best }
    }

    /// Fetches the object into a file without a name, and compares it with what the store says of it.
    pub(super) fn fetch(&mut self) -> Result<File, IntakeError> {
        let found = self.find()?;
        if found.bytes > OBJECT_BYTES_MAX {
            let bytes = found.bytes;
            return Err(IntakeError::origin(
                format!("đối tượng có {bytes} byte, tối đa {OBJECT_BYTES_MAX}"),
                format!("the object has {bytes} bytes, the most is {OBJECT_BYTES_MAX}"),
            ));
        }
        let mut get = self.bucket.get_object(Some(&self.credentials), &found.key);
        get.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
        let url = get.sign(SIGNED_FOR);
        let answer = self.client.get(&url, &[("x-amz-checksum-mode", "ENABLED")])?;
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
        if let (Some(listed), Some(now)) = (&found.tag, tag)
            && listed.trim_matches('"') != now.trim_matches('"')
        {
            return Err(changed());
        }
        let mut file = tempfile::tempfile().map_err(|e| no_space(&e))?;
        let sums = copy(answer.body.take(found.bytes + 1), &mut file)?;
        if sums.bytes != found.bytes {
            return Err(changed());
        }
        sums.compare(&answer.headers)?;
        file.rewind().map_err(|e| no_space(&e))?;
        Ok(file)
    }
}

/// The list as the store writes it.
fn listing(body: Vec<u8>) -> Option<ListObjectsV2Response> {
    let xml = String::from_utf8(body).ok()?;
    // Some stores write the namespace of S3's first years.
    let xml = xml.replacen(
        "\"http://doc.s3.amazonaws.com/2006-03-01",
        "\"http://s3.amazonaws.com/doc/2006-03-01",
        1,
    );
    ListObjectsV2::parse_response(&xml).ok()
}

/// What was received amounts to.
struct Sums {
    bytes: u64,
    sha256: String,
    crc32: String,
}

fn copy(mut body: impl std::io::Read, file: &mut File) -> Result<Sums, IntakeError> {
    let (mut sha256, mut crc32, mut bytes) = (Sha256::new(), crc32fast::Hasher::new(), 0_u64);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = body.read(&mut buffer).map_err(|e| broken(&e))?;
        let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else { break };
        sha256.update(part);
        crc32.update(part);
        bytes += n as u64;
        file.write_all(part).map_err(|e| no_space(&e))?;
    }
    let crc32 = BASE64_STANDARD.encode(crc32.finalize().to_be_bytes());
    Ok(Sums { bytes, sha256: BASE64_STANDARD.encode(sha256.finalize()), crc32 })
}

impl Sums {
    /// Compares with the checksums that the store keeps, where it gives any of the whole object.
    fn compare(&self, headers: &HeaderMap) -> Result<(), IntakeError> {
        for (name, own) in [("x-amz-checksum-sha256", &self.sha256), ("x-amz-checksum-crc32", &self.crc32)] {
            let given = headers.get(name).and_then(|sum| sum.to_str().ok());
            // With a `-` it is one of parts.
            if given.is_some_and(|given| !given.contains('-') && given != own) {
                return Err(IntakeError::unreachable(
                    "đối tượng nhận về sai mã kiểm tra; hãy thử lại sau",
                    "the object that came does not fit its checksum; try again later",
                ));
            }
        }
        Ok(())
    }
}

fn found(content: ListObjectsContent) -> Result<Found, IntakeError> {
    let bytes = content.size.ok_or_else(no_list)?;
    Ok(Found { key: content.key, bytes, tag: content.etag, time: content.last_modified.unwrap_or_default() })
}

fn nothing(prefix: &str) -> IntakeError {
    let prefix = quoted(prefix);
    IntakeError::Unreachable(Said::new(
        format!("kho không có đối tượng nào tên bắt đầu bằng `{prefix}`"),
        format!("the store has no object whose name begins with `{prefix}`"),
    ))
}

fn changed() -> IntakeError {
    IntakeError::unreachable(
        "đối tượng bị thay đổi hoặc bị cắt trong lúc nhận; hãy thử lại sau",
        "the object changed or was cut short while it came; try again later",
    )
}

fn no_list() -> IntakeError {
    IntakeError::unreachable(
        "kho không đưa ra danh sách đối tượng đọc được; hãy xem lại `endpoint`, `bucket` và quyền ListBucket",
        "the store gives no list of objects that can be read; see `endpoint`, `bucket` and the right ListBucket",
    )
}

fn no_space(error: &std::io::Error) -> IntakeError {
    IntakeError::unreachable(
        format!("không ghi được tệp tạm: {error}; hãy xem lại chỗ trống trên đĩa"),
        format!("the temporary file cannot be written: {error}; see the free space on the disk"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_does_not_fit_its_checksum_is_refused() {
        let sums = copy(&b"a,b\n1,2\n"[..], &mut tempfile::tempfile().unwrap()).unwrap();
        let with = |name: &'static str, sum: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, sum.parse().unwrap());
            sums.compare(&headers)
        };
        assert_eq!(sums.bytes, 8);
        // printf 'a,b\n1,2\n' | openssl dgst -sha256 -binary | base64
        let sha256 = "SS1epJYFbxpqZZIkEDL6t2TDIVljF5MLT6Dh6Lw7dHA=";
        assert!(with("x-amz-checksum-sha256", sha256).is_ok());
        assert!(with("x-amz-checksum-sha256", &sha256.replace('A', "B")).is_err());
        assert!(with("x-amz-checksum-crc32", "AAAAAA==").is_err());
        assert!(with("x-amz-checksum-crc32", "AAAAAA==-2").is_ok());
    }
}
