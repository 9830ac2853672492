//! The demonstration's data: four files that a ward, an environment agency and a health centre could own.
//!
//! Promise: the same seed and row count give the same bytes on every machine, so a demonstration can be repeated and its
//! digests compared. That is why cycles are tables and noise is plain addition and multiplication: sine, exponent and
//! logarithm differ in the last bit between C libraries.
//!
//! Nothing here is about a real person. Cases, patient codes and addresses are dice; the streets (*Minh Hoạ*, "illustration")
//! do not exist, and no row has a name. Wards and crossings are real places, so that the story reads like one.
//!
//! Deliberately absent: any reading of a clock, and any network or store. A caller gives a path and gets a file.

mod air;
mod health;
#[cfg(test)]
mod tests;
mod tools;
mod traffic;

use std::io;
use std::path::Path;

pub use air::write_air_hourly;
pub use health::{write_clinic_hours, write_dengue_cases};
pub use tools::{ROWS_MAX, Written};
pub use traffic::write_traffic_counts;

/// One dataset of the demonstration: its words for the catalog, and the function that writes its file.
#[derive(Debug, Clone, Copy)]
pub struct DemoDataset {
    /// Local id in the catalog, for example `air-hourly`.
    pub id: &'static str,
    /// Title for people, Vietnamese.
    pub title_vi: &'static str,
    /// Title for people, English.
    pub title_en: &'static str,
    /// One or two sentences, Vietnamese.
    pub description_vi: &'static str,
    /// The same in English.
    pub description_en: &'static str,
    /// Name of the file in the owner's source folder.
    pub file_name: &'static str,
    /// How many rows the demonstration writes.
    pub rows: usize,
    /// Columns that must not leave the agency as they are: internal ones and identifiers of persons.
    pub hidden_columns: &'static [&'static str],
    /// Writes the file: path, seed, rows.
    pub write: fn(&Path, u64, usize) -> io::Result<Written>,
}

/// The ward's: vehicles per quarter of an hour at six crossings.
pub const TRAFFIC_COUNTS: DemoDataset = DemoDataset {
    id: "traffic-counts",
    title_vi: "Đếm lượt phương tiện tại nút giao",
    title_en: "Vehicle counts at crossings",
    description_vi: "Số lượt xe theo 15 phút, theo chiều và loại phương tiện, tại sáu nút giao của phường.",
    description_en: "Vehicles per 15 minutes, by direction and type, at six crossings of the ward.",
    file_name: "traffic-counts.csv",
    rows: 8_064,
    hidden_columns: &[],
    write: write_traffic_counts,
};

/// The environment agency's: hourly readings of twelve stations.
pub const AIR_HOURLY: DemoDataset = DemoDataset {
    id: "air-hourly",
    title_vi: "Chất lượng không khí theo giờ",
    title_en: "Air quality, hourly",
    description_vi: "Nồng độ bụi và khí, AQI, nhiệt độ và độ ẩm theo giờ tại mười hai trạm quan trắc ở Hà Nội.",
    description_en: "Dust and gas concentrations, AQI, temperature and humidity per hour at twelve stations in Hanoi.",
    file_name: "air-hourly.csv",
    rows: 20_016,
    hidden_columns: &["ma_thiet_bi", "ghi_chu_noi_bo"],
    write: write_air_hourly,
};

/// The health centre's: one row per (invented) dengue case. Personal, sensitive.
pub const DENGUE_CASES: DemoDataset = DemoDataset {
    id: "dengue-cases",
    title_vi: "Ca bệnh sốt xuất huyết Dengue",
    title_en: "Dengue cases",
    description_vi: "Danh sách từng ca bệnh, có mã bệnh nhân và địa chỉ: dữ liệu cá nhân nhạy cảm.",
    description_en: "One row per case, with patient code and address: sensitive personal data.",
    file_name: "dengue-cases.csv",
    rows: 4_000,
    hidden_columns: &["ma_ca", "ma_benh_nhan", "dia_chi"],
    write: write_dengue_cases,
};

/// The health centre's: clinics and their hours. Open data.
pub const CLINIC_HOURS: DemoDataset = DemoDataset {
    id: "clinic-hours",
    title_vi: "Cơ sở khám chữa bệnh và giờ làm việc",
    title_en: "Clinics and opening hours",
    description_vi: "Danh sách cơ sở y tế theo phường, giờ làm việc và dịch vụ. Dữ liệu mở.",
    description_en: "Clinics by ward with opening hours and services. Open data.",
    file_name: "clinic-hours.csv",
    rows: 42,
    hidden_columns: &[],
    write: write_clinic_hours,
};

/// All four, in the order of the story.
pub const ALL: [DemoDataset; 4] = [TRAFFIC_COUNTS, AIR_HOURLY, DENGUE_CASES, CLINIC_HOURS];
