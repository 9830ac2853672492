//! Vehicle counts of a ward's crossings: two rush hours, a tide into town and out again, quieter weekends.

use std::io;
use std::path::Path;

use time::macros::datetime;
use time::{Date, Duration, PrimitiveDateTime, Weekday};

use super::tools::{Csv, Dice, Written};

/// Writes `rows` counts (crossing × direction × 15 minutes) from Monday 7 September 2026.
///
/// # Errors
/// The disk's, and `InvalidInput` over [`ROWS_MAX`](super::ROWS_MAX).
pub fn write_traffic_counts(path: &Path, seed: u64, rows: usize) -> io::Result<Written> {
    const HEADER: &str =
        "ma_nut,ten_nut,phuong,chieu,bat_dau,xe_may,o_to,xe_buyt,xe_tai,xe_dap,toc_do_tb_kmh";
    let mut csv = Csv::create(path, HEADER, rows)?;
    let mut dice = Dice::new(seed, super::TRAFFIC_COUNTS.id);
    let mut start = datetime!(2026-09-07 00:00);
    while !csv.full() {
        for (number, (name, size)) in CROSSINGS.iter().enumerate() {
            for (direction, morning) in [("vào trung tâm", true), ("ra ngoại thành", false)] {
                if csv.full() {
                    break;
                }
                let flow = flow_percent(start, morning) * size / 100.0 * (1.0 + 0.08 * dice.bell());
                let count =
                    |share: f64, dice: &mut Dice| (flow * share * (1.0 + 0.1 * dice.bell())).max(0.0).round();
                let (bikes, cars) = (count(0.74, &mut dice), count(0.20, &mut dice));
                let (buses, trucks) = (count(0.012, &mut dice), count(0.018, &mut dice));
                let pedal = count(0.03, &mut dice);
                let speed = (38.0 - 22.0 * (flow / size) + 2.0 * dice.bell()).clamp(6.0, 48.0);
                csv.row(format_args!(
                    "NG{:02},{name},Tây Hồ,{direction},{} {:02}:{:02}:00,{bikes},{cars},{buses},{trucks},{pedal},{speed:.1}",
                    number + 1,
                    start.date(),
                    start.hour(),
                    start.minute()
                ))?;
            }
        }
        start += Duration::minutes(15);
    }
    csv.finish()
}

/// Vehicles over the day, percent of the busiest hour: two rush hours and a lunch.
pub const RUSH_BY_HOUR: [f64; 24] = [
    8.0, 5.0, 4.0, 5.0, 10.0, 26.0, 64.0, 100.0, 90.0, 66.0, 58.0, 66.0, 62.0, 56.0, 58.0, 64.0, 78.0, 98.0,
    92.0, 66.0, 50.0, 38.0, 26.0, 14.0,
];

/// Crossings of the ward and the vehicles of one direction in their busiest quarter of an hour.
const CROSSINGS: [(&str, f64); 6] = [
    ("Lạc Long Quân - Võ Chí Công", 1650.0),
    ("Lạc Long Quân - Thuỵ Khuê", 1380.0),
    ("Âu Cơ - Xuân Diệu", 1120.0),
    ("Âu Cơ - Nghi Tàm", 1240.0),
    ("Thanh Niên - Thuỵ Khuê", 980.0),
    ("Đặng Thai Mai - Xuân Diệu", 430.0),
];

/// Percent of the busiest quarter hour: the hours' table, with the tide into town in the morning and out in the evening.
fn flow_percent(start: PrimitiveDateTime, inbound: bool) -> f64 {
    let (hour, minute) = (usize::from(start.hour()) % 24, f64::from(start.minute()));
    let (here, next) = (RUSH_BY_HOUR[hour], RUSH_BY_HOUR[(hour + 1) % 24]);
    let tide = match (start.hour(), inbound) {
        (6..=9, true) | (16..=19, false) => 1.0,
        (6..=9, false) | (16..=19, true) => 0.68,
        _ => 0.85,
    };
    (here + (next - here) * minute / 60.0) * tide * week_factor(start.date())
}

/// A weekend has fewer journeys.
pub fn week_factor(day: Date) -> f64 {
    match day.weekday() {
        Weekday::Saturday => 0.78,
        Weekday::Sunday => 0.64,
        _ => 1.0,
    }
}
