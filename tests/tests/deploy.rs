//! What is delivered beside the binary: the systemd unit and the scripts.

#![allow(clippy::expect_used, reason = "a check that can't be made has failed")]

use std::process::Command;

/// Where the unit expects the binary; a machine that only tests has none there.
const INSTALLED: &str = "/usr/local/bin/tram";

#[test]
fn the_systemd_unit_is_well_formed() {
    let unit = std::fs::read_to_string(tests::repository().join("deploy/tram@.service")).expect("the unit");
    assert!(unit.contains(&format!("ExecStart={INSTALLED} serve --dir /var/lib/tram/%i\n")), "{unit}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tram@.service");
    std::fs::write(&path, unit.replace(INSTALLED, "/bin/true")).expect("a copy of the unit");
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&path).output() else {
        return tests::skip("systemd-analyze is not installed, so the unit was not verified");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // Warnings leave the exit code at 0; a misspelt key is one.
    assert!(output.status.success() && !said.contains("tram@"), "{said}");
}

#[test]
fn scripts_are_executable_and_parse() {
    let root = tests::repository();
    for script in ["tests/run", ".ci/run", "tests/bench/run"] {
        let status = Command::new("bash").arg("-n").arg(root.join(script)).status().expect("bash runs");
        assert!(status.success(), "`{script}` does not parse");
        let listed = Command::new("git")
            .args(["ls-files", "--stage", script])
            .current_dir(root)
            .output()
            .expect("git runs");
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.starts_with("100755 "), "`{script}` is not committed as executable: {listed}");
    }
}
