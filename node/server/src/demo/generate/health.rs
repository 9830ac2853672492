//! The health centre's two files: invented cases of one dengue season, and the open list of clinics.

use std::io;
use std::path::Path;

use time::macros::date;
use time::{Date, Duration};

use super::tools::{Csv, Dice, Written};

/// Wards of Hanoi as of July 2025, with the weight of dengue in the invented season: the last ones stay under five cases a month.
const WARDS: [(&str, u32); 14] = [
    ("Hoàng Mai", 210),
    ("Hà Đông", 190),
    ("Đống Đa", 160),
    ("Thanh Xuân", 130),
    ("Cầu Giấy", 110),
    ("Nghĩa Đô", 80),
    ("Xuân Phương", 60),
    ("Xuân Đỉnh", 45),
    ("Long Biên", 30),
    ("Tây Hồ", 22),
    ("Ba Đình", 14),
    ("Ngọc Hà", 8),
    ("Hoàn Kiếm", 5),
    ("Cửa Nam", 3),
];

/// Writes `rows` invented cases of one season (July 2025 to June 2026), by day of onset.
///
/// # Errors
/// The disk's, and `InvalidInput` over [`ROWS_MAX`](super::ROWS_MAX).
pub fn write_dengue_cases(path: &Path, seed: u64, rows: usize) -> io::Result<Written> {
    const HEADER: &str =
        "ma_ca,ma_benh_nhan,tuoi,gioi_tinh,phuong,dia_chi,ngay_khoi_phat,thang_khoi_phat,phan_do,nhap_vien";
    let mut csv = Csv::create(path, HEADER, rows)?;
    let mut dice = Dice::new(seed, super::DENGUE_CASES.id);
    let mut days: Vec<Date> = (0..rows).map(|_| onset_day(&mut dice)).collect();
    days.sort_unstable();
    for day in days {
        let (ward, _) = WARDS[dice.weighted(&WARDS.map(|(_, weight)| weight))];
        let (case, patient) = (dice.next() >> 24, dice.below(900_000_000) + 100_000_000);
        let age = (dice.below(45) + dice.below(46)).max(1);
        let sex = ["nam", "nữ"][dice.weighted(&[52, 48])];
        let (house, alley, street) = (dice.below(240) + 1, dice.below(60) + 1, dice.below(9) + 1);
        let severity = dice.weighted(&[78, 18, 4]);
        let admitted = severity == 2 || dice.below(100) < [22, 85][severity.min(1)];
        csv.row(format_args!(
            "SXH-{case:010x},BN{patient},{age},{sex},{ward},\"số {house}, ngõ {alley}, đường Minh Hoạ {street}\",{day},{}-{:02},{},{}",
            day.year(),
            u8::from(day.month()),
            ["nhẹ", "có dấu hiệu cảnh báo", "nặng"][severity],
            if admitted { "có" } else { "không" }
        ))?;
    }
    csv.finish()
}

/// Writes `rows` clinics, ward by ward. Open data: nothing to hide in it.
///
/// # Errors
/// The disk's, and `InvalidInput` over [`ROWS_MAX`](super::ROWS_MAX).
pub fn write_clinic_hours(path: &Path, seed: u64, rows: usize) -> io::Result<Written> {
    const HEADER: &str = "ma_co_so,ten_co_so,loai,phuong,dia_chi,sang_thu_2_6,chieu_thu_2_6,thu_7,chu_nhat,tiem_chung,cap_cuu_24h";
    let mut csv = Csv::create(path, HEADER, rows)?;
    let mut dice = Dice::new(seed, super::CLINIC_HOURS.id);
    for number in 0..rows {
        let (ward, _) = WARDS[number % WARDS.len()];
        let round = number / WARDS.len();
        let kind = ["Trạm y tế", "Phòng khám đa khoa", "Điểm tiêm chủng"][round % 3];
        let opens = 7 + dice.below(2);
        let closes = 16 + dice.below(2);
        let saturday = ["nghỉ", "07:30-11:30", "07:30-16:30"][dice.weighted(&[3, 4, 3])];
        let sunday = ["nghỉ", "08:00-11:00"][dice.weighted(&[4, 1])];
        let vaccines = round % 3 != 1 || dice.below(3) == 0;
        let always = round % 3 == 1 && dice.below(4) == 0;
        csv.row(format_args!(
            "YT{:04},{kind} phường {ward} số {},{kind},{ward},\"số {}, đường Minh Hoạ {}\",{opens:02}:00-11:30,13:30-{closes}:30,{saturday},{sunday},{},{}",
            number + 1,
            round / 3 + 1,
            dice.below(240) + 1,
            dice.below(9) + 1,
            if vaccines { "có" } else { "không" },
            if always { "có" } else { "không" }
        ))?;
    }
    csv.finish()
}

/// A day of the season, by months' weight: July to June, with the peak from September to November.
fn onset_day(dice: &mut Dice) -> Date {
    const WEIGHTS: [u32; 12] = [70, 110, 190, 230, 200, 110, 30, 10, 6, 8, 14, 22];
    let month = dice.weighted(&WEIGHTS);
    let mut first = date!(2025 - 07 - 01);
    for _ in 0..month {
        first += Duration::days(i64::from(first.month().length(first.year())));
    }
    let length = u32::from(first.month().length(first.year()));
    first + Duration::days(i64::from(dice.below(length)))
}
