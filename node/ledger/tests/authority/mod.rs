//! A time-stamping authority on the spot, made with `openssl`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Roots, authorities and their mistakes, in files of one folder.
pub struct Authority {
    folder: TempDir,
}

const CONFIG: &str = "\
[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n\
[tsa]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n\
[soft]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=timeStamping\nkeyUsage=critical,digitalSignature\n\
[both]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=critical,timeStamping,codeSigning\n\
[none]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n\
[request]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=unused\n\
[stamps]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256,sha512\n\
accuracy=secs:1\nordering=no\ntsa_name=no\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n";

impl Authority {
    /// A root `root`, a stranger's root `other`, and certificates under the first: `tsa` as it must be, `soft` whose
    /// usage is not critical, `both` that may do more, `none` without a usage.
    pub fn new() -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(it.path("conf"), CONFIG).unwrap();
        std::fs::write(it.path("serial"), "01\n").unwrap();
        for root in ["root", "other"] {
            it.key_and_request(root);
            it.openssl(&format!(
                "x509 -req -in {root}.csr -signkey {root}.key -days 3650 -extfile conf -extensions ca -out {root}.pem"
            ));
        }
        for name in ["tsa", "soft", "both", "none"] {
            it.key_and_request(name);
            it.openssl(&format!(
                "x509 -req -in {name}.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3000 -extfile conf \
                 -extensions {name} -out {name}.pem"
            ));
        }
        it
    }

    fn key_and_request(&self, name: &str) {
        self.openssl(&format!("ecparam -genkey -name prime256v1 -noout -out {name}.key"));
        self.openssl(&format!(
            "req -new -config conf -section request -key {name}.key -subj /CN={name} -out {name}.csr"
        ));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn run(&self, words: &str) -> (bool, String) {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Runs `openssl`, which must succeed; gives back what it printed.
    pub fn openssl(&self, words: &str) -> String {
        let (done, text) = self.run(words);
        assert!(done, "openssl {words}: {text}");
        text
    }

    /// The authority's answer to a question.
    pub fn answer(&self, question: &[u8]) -> Vec<u8> {
        self.write("question", question);
        self.openssl("ts -reply -config conf -section stamps -queryfile question -signer tsa.pem -inkey tsa.key -out answer");
        self.read("answer")
    }

    /// Signs any `TSTInfo` with any of the certificates: what an authority with a mistake would answer.
    pub fn sign_anything(&self, info: &[u8], signer: &str) -> Vec<u8> {
        self.write("info", info);
        self.openssl(&format!(
            "cms -sign -in info -binary -nodetach -econtent_type 1.2.840.113549.1.9.16.1.4 -cades -md sha256 \
             -outform DER -signer {signer}.pem -inkey {signer}.key -nosmimecap -out token"
        ));
        self.read("token")
    }

    /// What `openssl ts -verify` says of an answer over a message.
    pub fn accepts(&self, message: &Path, answer: &Path, root: &str) -> bool {
        let words =
            format!("ts -verify -data {} -in {} -CAfile {root}.pem", message.display(), answer.display());
        self.run(&words).0
    }
}
