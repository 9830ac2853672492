//! Who plays in the demo: three agencies, their datasets and their rules.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Talk;
use super::generate::{self, DemoDataset};
use crate::boot::{self, Doors};
use crate::cli::client::Client;
use crate::config::{Config, FilesSection, LedgerSection, LocalSection, NodeSection, PeerSection};
use crate::error::{Error, Result};
use crate::node::Node;

/// One agency with its running node.
pub struct Agency {
    /// Participant id.
    pub id: &'static str,
    /// Name, Vietnamese.
    pub name: &'static str,
    /// The node's folder.
    pub dir: PathBuf,
    /// Its local door.
    pub client: Client,
    node: Arc<Node>,
}

/// The three.
pub struct Cast {
    /// The ward: asks.
    pub ward: Agency,
    /// The environment agency: has the air.
    pub environment: Agency,
    /// The health centre: has the cases.
    pub health: Agency,
    /// Where the ward puts what it gets.
    pub inbox: PathBuf,
}

struct Role {
    id: &'static str,
    name_vi: &'static str,
    name_en: &'static str,
    folder: &'static str,
    rules: Rules,
}

struct Rules {
    policy: &'static str,
    duties: &'static str,
    obligations: &'static str,
    reasons: &'static str,
    cases: &'static str,
    registry: &'static str,
}

impl Rules {
    fn files(&self) -> [(&'static str, &'static str); 6] {
        [
            ("policy.csv", self.policy),
            ("duties.csv", self.duties),
            ("obligations.json", self.obligations),
            ("reasons.json", self.reasons),
            ("cases.json", self.cases),
            ("registry.json", self.registry),
        ]
    }
}

macro_rules! rules {
    ($who:literal) => {
        Rules {
            policy: include_str!(concat!("rules/", $who, "/policy.csv")),
            duties: include_str!(concat!("rules/", $who, "/duties.csv")),
            obligations: include_str!(concat!("rules/", $who, "/obligations.json")),
            reasons: include_str!(concat!("rules/", $who, "/reasons.json")),
            cases: include_str!(concat!("rules/", $who, "/cases.json")),
            registry: include_str!(concat!("rules/", $who, "/registry.json")),
        }
    };
}

const WARD: Role = Role {
    id: "urn:agency:vn:hanoi:phuong-nghia-do",
    name_vi: "Ủy ban nhân dân phường Nghĩa Đô",
    name_en: "People's Committee of Nghia Do ward",
    folder: "ward",
    rules: rules!("ward"),
};
const ENVIRONMENT: Role = Role {
    id: "urn:agency:vn:hanoi:moi-truong",
    name_vi: "Sở Nông nghiệp và Môi trường Hà Nội",
    name_en: "Hanoi Department of Agriculture and Environment",
    folder: "environment",
    rules: rules!("environment"),
};
const HEALTH: Role = Role {
    id: "urn:agency:vn:hanoi:trung-tam-y-te",
    name_vi: "Trung tâm Y tế khu vực Cầu Giấy",
    name_en: "Cau Giay regional health centre",
    folder: "health",
    rules: rules!("health"),
};

/// A dataset with what its owner says of it.
struct Offered {
    dataset: DemoDataset,
    keywords: &'static [&'static str],
    kind: &'static str,
    class: u8,
    personal: &'static str,
    tags: &'static [&'static str],
    subject_key: Option<&'static str>,
    group_by: &'static [&'static str],
    dpia: Option<&'static str>,
}

const PLAIN: Offered = Offered {
    dataset: generate::TRAFFIC_COUNTS,
    keywords: &[],
    kind: "default",
    class: 1,
    personal: "none",
    tags: &[],
    subject_key: None,
    group_by: &[],
    dpia: None,
};
const WARD_GOODS: &[Offered] = &[Offered { keywords: &["giao thông", "đô thị"], ..PLAIN }];
const AIR_GOODS: &[Offered] =
    &[Offered {
        dataset: generate::AIR_HOURLY, keywords: &["môi trường", "không khí", "PM2.5"], ..PLAIN
    }];
const HEALTH_GOODS: &[Offered] = &[
    Offered {
        dataset: generate::DENGUE_CASES,
        keywords: &["y tế", "sốt xuất huyết"],
        kind: "special",
        class: 3,
        personal: "sensitive",
        subject_key: Some("ma_benh_nhan"),
        group_by: &["phuong", "thang_khoi_phat"],
        dpia: Some("DPIA-2026-07"),
        ..PLAIN
    },
    Offered {
        dataset: generate::CLINIC_HOURS,
        keywords: &["y tế", "trạm y tế", "giờ làm việc"],
        kind: "open",
        class: 0,
        ..PLAIN
    },
];

impl Cast {
    /// Makes the three nodes, fills them, and introduces them to each other.
    pub async fn assemble(folder: &Path, seed: u64, talk: Talk) -> Result<Self> {
        talk.part(1, "Ba cơ quan, ba trạm", "Three agencies, three nodes");
        let ward = stage(folder, &WARD, talk).await?;
        let environment = stage(folder, &ENVIRONMENT, talk).await?;
        let health = stage(folder, &HEALTH, talk).await?;
        let cast = Self { ward, environment, health, inbox: folder.join("received") };
        crate::files::make_private_dir(&cast.inbox)?;
        talk.part(2, "Mỗi cơ quan công bố dữ liệu của mình", "Each agency publishes its datasets");
        let data = folder.join("sources");
        crate::files::make_private_dir(&data)?;
        for (owner, goods) in
            [(&cast.ward, WARD_GOODS), (&cast.environment, AIR_GOODS), (&cast.health, HEALTH_GOODS)]
        {
            for offered in goods {
                publish(owner, &data, offered, seed, talk).await?;
            }
        }
        talk.part(3, "Các cơ quan kết nối với nhau", "The agencies pair");
        pair(&cast.environment, &cast.ward, talk).await?;
        pair(&cast.health, &cast.ward, talk).await?;
        Ok(cast)
    }

    /// Stops the three.
    pub async fn close(self) {
        for agency in [self.ward, self.environment, self.health] {
            boot::close(&agency.node).await;
        }
    }
}

async fn stage(folder: &Path, role: &Role, talk: Talk) -> Result<Agency> {
    let dir = folder.join(role.folder);
    let peer = free_port()?;
    let config = Config {
        node: NodeSection {
            id: role.id.to_owned(),
            name_vi: role.name_vi.to_owned(),
            name_en: role.name_en.to_owned(),
            country: "VN".to_owned(),
        },
        peer: PeerSection::new(peer, format!("https://{peer}")),
        local: LocalSection { listen: free_port()? },
        ledger: LedgerSection::default(),
        versions: Default::default(),
        files: FilesSection::default(),
        public: None,
    };
    boot::init(&dir, &config, crate::operation::Clock::system().now())?;
    let node = boot::open(&dir, Doors::All).await?;
    let client = Client::Here(Box::new(crate::local::router(node.clone())), node.clone());
    apply_rules(&client, &role.rules).await?;
    talk.line(&format!("  ▸ {}", role.name_vi), role.name_en);
    talk.detail(&format!("{}  https://{peer}", role.id));
    Ok(Agency { id: role.id, name: role.name_vi, dir, client, node })
}

async fn apply_rules(client: &Client, rules: &Rules) -> Result<()> {
    let files: std::collections::BTreeMap<_, _> = rules.files().into_iter().collect();
    client.post("/v1/policy", &json!({"files": files})).await?;
    Ok(())
}

fn free_port() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .map_err(|e| Error::Unavailable(format!("no free port on 127.0.0.1: {e}")))
}

async fn publish(owner: &Agency, data: &Path, offered: &Offered, seed: u64, talk: Talk) -> Result<()> {
    let dataset = &offered.dataset;
    let path = data.join(dataset.file_name);
    let written = (dataset.write)(&path, seed, dataset.rows).map_err(|e| Error::io(&path, e))?;
    let body = json!({
        "path": path,
        "name": dataset.id,
        "title": dataset.title_vi,
        "title_en": dataset.title_en,
        "description": dataset.description_vi,
        "description_en": dataset.description_en,
        "keywords": offered.keywords,
        "kind": offered.kind,
        "class": offered.class,
        "personal": offered.personal,
        "tags": offered.tags,
        "subject": offered.subject_key.map_or(Value::Null, |c| json!({"key": c})),
        "group_by": offered.group_by,
        "dpia": offered.dpia,
    });
    owner.client.post("/v1/datasets", &body).await?;
    owner.client.post(&format!("/v1/datasets/{}/validate", dataset.id), &json!({})).await?;
    owner.client.post(&format!("/v1/datasets/{}/publish", dataset.id), &json!({})).await?;
    talk.line(&format!("  ▸ {}: {}", owner.name, dataset.title_vi), dataset.title_en);
    talk.detail(&format!("{}/{}  {} rows, {} bytes", owner.id, dataset.id, written.rows, written.bytes));
    Ok(())
}

async fn pair(host: &Agency, guest: &Agency, talk: Talk) -> Result<()> {
    let invitation =
        host.client.post("/v1/peers/invitations", &json!({"groups": ["state", "wards"]})).await?;
    let accepted =
        guest.client.post("/v1/peers", &json!({"code": invitation["code"], "groups": ["state"]})).await?;
    talk.line(&format!("  ▸ {} ⇄ {}", host.name, guest.name), "both sides see the same six words:");
    talk.detail(accepted["peer"]["words"].as_str().unwrap_or("-"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use policy::{Files, RuleSet};

    use super::{ENVIRONMENT, HEALTH, Role, WARD};

    #[test]
    fn the_rules_of_each_agency_load_and_pass_their_own_tests() {
        let load = |role: &Role| {
            let files = role.rules.files().into_iter();
            let files = files.fold(Files::new(), |all, (name, text)| all.with(name, text));
            RuleSet::from_files(&files, 1).unwrap_or_else(|e| panic!("{}: {:#?}", role.folder, e.problems))
        };
        for (role, cases) in [(&WARD, 6), (&ENVIRONMENT, 14), (&HEALTH, 14)] {
            let rules = load(role);
            let denies = rules.grants().iter().filter(|rule| rule.effect == policy::RuleEffect::Deny);
            assert!(denies.clone().all(|rule| rules.reason(&rule.id).is_some()), "{}", role.folder);
            let report = crate::rules::test(rules).unwrap();
            assert_eq!(
                (&report["failed"], &report["total"]),
                (&0.into(), &cases.into()),
                "{}: {report:#}",
                role.folder
            );
        }
    }
}
