//! The page that lies in a bundle, Vietnamese first: what it is, for whom, and how to check it, with our program and
//! with other people's.

use super::Manifest;

/// The text of `README.txt`. `vkey` is the log's verifier key.
pub fn text(said: &Manifest, vkey: &str) -> String {
    let given: u64 = said.entries.iter().map(|(from, to)| to - from).sum();
    let purpose = said.purpose.as_deref().unwrap_or("-");
    let opened = said.opened.len();
    let Manifest { participant, made_for, created, origin, size, period: (from, to), .. } = said;
    format!(
        "\
GÓI KIỂM TOÁN SỔ NHẬT KÝ

Cơ quan cung cấp:  {participant}
Dành cho:          {made_for}
Mục đích:          {purpose}
Thời gian lập:     {created}
Kỳ:                {from} .. {to}
Sổ:                {origin}, {size} mục; gói này có {given} mục, mở {opened} trường

Kiểm tra, không cần mạng và không cần cơ quan cung cấp:

    tram ledger verify GÓI.tar --keys KHÓA
    tram ledger query  GÓI.tar --keys KHÓA

KHÓA là danh bạ (registry.json) hoặc bản mô tả của cơ quan (descriptor.json) lấy từ nơi khác, không phải từ gói này. Không
có --keys thì chương trình dùng khóa đi kèm trong gói và in dấu vân tay của khóa để so sánh: gói nguyên vẹn, nhưng chưa
chắc là của ai.

Mục nào không có trong gói thì không được cung cấp; số thứ tự cho biết còn thiếu mục nào. Trường chưa mở vẫn được giữ kín,
và việc kiểm tra không cần đến chúng.

Dấu thời gian (RFC 3161), nếu có, nằm trong `timestamps/`; thêm --stamp-roots TỆP.pem với chứng thư gốc của cơ quan cấp dấu
thời gian để kiểm tra.


AUDIT BUNDLE OF A LEDGER

Given by:  {participant}
For:       {made_for}
Purpose:   {purpose}
Made:      {created}
Period:    {from} .. {to}
Ledger:    {origin}, {size} entries; {given} of them are here, {opened} fields are opened

To check it, without a network and without the agency that gave it:

    tram ledger verify BUNDLE.tar --keys KEYS
    tram ledger query  BUNDLE.tar --keys KEYS

KEYS is a registry (registry.json) or the agency's descriptor (descriptor.json) that you have from elsewhere, not from this
file. Without --keys the keys that ride along are used and their fingerprints shown for comparison: the bundle is then
whole, but whose it is remains to be seen.

Entries that are not here were not given; the indexes show which. Fields that are not opened stay closed, and the check
does not need them.

Time-stamps (RFC 3161), if there are any, lie in `timestamps/`; add --stamp-roots FILE.pem with the roots of the authority to
have them checked.

With other people's programs, after `tar xf BUNDLE.tar`:

    an entry that lies alone (PyPI proofbundle):
        proofbundle verify-proof entry/N.tlog-proof --payload-file entry/N.leaf \\
            --log-vkey '{vkey}'
    the whole tree, where all entries are given (Tessera, Go):
        echo '{vkey}' > log.vkey
        go run github.com/transparency-dev/tessera/cmd/fsck@v1.0.4 --storage_url=file://$PWD/ \\
            --public_key=log.vkey --ui=false
    a time-stamp over an earlier checkpoint (OpenSSL):
        openssl ts -verify -data timestamps/N.checkpoint -in timestamps/N.tsr -CAfile ROOTS.pem

An entry is a C2SP signed note; `checkpoint`, `tile/` and `*.tlog-proof` are those of https://c2sp.org (tlog-checkpoint,
tlog-tiles, tlog-proof). An opened field fits its commitment C in the entry when
C = base64(HMAC-SHA256(salt, \"tram/v1:\" || field || 0x00 || value)).
"
    )
}
