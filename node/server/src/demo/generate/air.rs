//! Hourly air readings of twelve stations: the daily and yearly cycles of Hanoi, shared weather, and what a real station
//! does besides measuring: it is calibrated, and it falls silent.

use std::io;
use std::path::Path;

use time::macros::datetime;
use time::{Date, Duration, Month, PrimitiveDateTime};

use super::tools::{Csv, Dice, Written};
use super::traffic::{RUSH_BY_HOUR, week_factor};

/// Writes `rows` readings of the twelve stations, hour by hour from 1 August 2026, as UTF-8 CSV with a header.
///
/// # Errors
/// The disk's, and `InvalidInput` over [`ROWS_MAX`](super::ROWS_MAX).
pub fn write_air_hourly(path: &Path, seed: u64, rows: usize) -> io::Result<Written> {
    const HEADER: &str = "ma_tram,ten_tram,phuong,thoi_diem_utc,gio_dia_phuong,pm25,pm10,no2,o3,co,so2,aqi,nhiet_do,do_am,trang_thai,ma_thiet_bi,ghi_chu_noi_bo";
    let mut csv = Csv::create(path, HEADER, rows)?;
    let mut dice = Dice::new(seed, super::AIR_HOURLY.id);
    let mut stations: Vec<Station> = STATIONS.iter().map(|site| Station::new(site, &mut dice)).collect();
    let mut air = Weather::default();
    let mut hour = datetime!(2026-08-01 00:00);
    while !csv.full() {
        air.drift(&mut dice);
        let utc = hour - Duration::hours(7);
        for station in &mut stations {
            if csv.full() {
                break;
            }
            let row = station.read(&air, hour, &mut dice);
            let site = station.site;
            let when = format_args!(
                "{}T{:02}:00:00,{} {:02}:00:00",
                utc.date(),
                utc.hour(),
                hour.date(),
                hour.hour()
            )
            .to_string();
            csv.row(format_args!(
                "{},{},{},{when},{row},{},{}",
                site.code,
                site.name,
                site.ward,
                station.serial,
                station.note()
            ))?;
        }
        hour += Duration::HOUR;
    }
    csv.finish()
}

/// A place where air is measured: code, name, ward, and how dirty and how busy it is beside the city's mean.
struct Site {
    code: &'static str,
    name: &'static str,
    ward: &'static str,
    dust: f64,
    traffic: f64,
}

const fn site(code: &'static str, name: &'static str, ward: &'static str, dust: f64, traffic: f64) -> Site {
    Site { code, name, ward, dust, traffic }
}

const STATIONS: [Site; 12] = [
    site("HN01", "Trạm Hồ Tây", "Tây Hồ", 0.82, 0.7),
    site("HN02", "Trạm Nghĩa Đô", "Nghĩa Đô", 0.98, 1.0),
    site("HN03", "Trạm Xuân Đỉnh", "Xuân Đỉnh", 1.02, 0.9),
    site("HN04", "Trạm Xuân Phương", "Xuân Phương", 1.06, 0.8),
    site("HN05", "Trạm Cầu Giấy", "Cầu Giấy", 1.08, 1.3),
    site("HN06", "Trạm Ba Đình", "Ba Đình", 0.92, 1.0),
    site("HN07", "Trạm Bờ Hồ", "Hoàn Kiếm", 0.95, 1.1),
    site("HN08", "Trạm Láng Hạ", "Đống Đa", 1.10, 1.4),
    site("HN09", "Trạm Ngã Tư Sở", "Thanh Xuân", 1.18, 1.6),
    site("HN10", "Trạm Hoàng Mai", "Hoàng Mai", 1.15, 1.2),
    site("HN11", "Trạm Hà Đông", "Hà Đông", 1.05, 1.1),
    site("HN12", "Trạm Bồ Đề", "Long Biên", 1.00, 0.9),
];

/// City mean of PM2.5 by month, µg/m³: winter inversions, clean summers.
const PM25_BY_MONTH: [f64; 12] = [88.0, 74.0, 64.0, 50.0, 38.0, 31.0, 28.0, 33.0, 42.0, 56.0, 68.0, 84.0];
/// City mean of temperature by month, °C.
const TEMPERATURE_BY_MONTH: [f64; 12] =
    [17.0, 18.5, 20.8, 24.6, 28.2, 29.9, 29.8, 29.2, 28.0, 25.6, 22.2, 18.4];
/// Dust over the day, percent of the mean: stable nights, mixed afternoons.
const DUST_BY_HOUR: [f64; 24] = [
    112.0, 114.0, 115.0, 114.0, 113.0, 115.0, 120.0, 128.0, 124.0, 112.0, 100.0, 90.0, 82.0, 76.0, 74.0,
    76.0, 84.0, 96.0, 104.0, 106.0, 106.0, 107.0, 109.0, 111.0,
];
/// Sunlight over the day, percent: drives ozone and temperature.
const SUN_BY_HOUR: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 14.0, 32.0, 52.0, 70.0, 84.0, 94.0, 100.0, 98.0, 88.0, 72.0, 48.0, 20.0,
    4.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];

/// What all stations share: slow swings that last for days.
#[derive(Default)]
struct Weather {
    stagnation: f64,
    warmth: f64,
}

impl Weather {
    fn drift(&mut self, dice: &mut Dice) {
        self.stagnation = 0.985 * self.stagnation + 0.06 * dice.bell();
        self.warmth = 0.99 * self.warmth + 0.25 * dice.bell();
    }
}

/// What a station is doing in this hour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Running,
    /// Reads reference gas, so its figures say nothing about the air: the row filter of the dataset hides them.
    Calibrating,
    Silent,
}

struct Station {
    site: &'static Site,
    serial: String,
    status: Status,
    hours_left: u32,
}

impl Station {
    fn new(site: &'static Site, dice: &mut Dice) -> Self {
        let serial = format!("AQ-{:04X}-{:05}", dice.below(0x1_0000), dice.below(100_000));
        Self { site, serial, status: Status::Running, hours_left: 0 }
    }

    /// The measured half of a row, `pm25` to `trang_thai`.
    fn read(&mut self, air: &Weather, hour: PrimitiveDateTime, dice: &mut Dice) -> String {
        self.turn(dice);
        match self.status {
            Status::Running => self.measure(air, hour, dice),
            Status::Calibrating => {
                let zero = |dice: &mut Dice| dice.unit() * 2.0;
                let (dust, gas, ozone) = (zero(dice), 180.0 + zero(dice), 150.0 + zero(dice));
                format!("{dust:.1},{dust:.1},{gas:.1},{ozone:.1},9000.0,80.0,0,25.0,50,hieu_chuan")
            }
            Status::Silent => ",,,,,,,,,mat_tin_hieu".to_owned(),
        }
    }

    /// Now and then a technician comes (six hours) or the line breaks (up to four).
    fn turn(&mut self, dice: &mut Dice) {
        if self.hours_left > 0 {
            self.hours_left -= 1;
            return;
        }
        (self.status, self.hours_left) = match dice.below(1_000) {
            0..5 => (Status::Calibrating, 5),
            5..9 => (Status::Silent, dice.below(4)),
            _ => (Status::Running, 0),
        };
    }

    fn measure(&self, air: &Weather, when: PrimitiveDateTime, dice: &mut Dice) -> String {
        let (hour, month) = (usize::from(when.hour()) % 24, month_index(when.date()));
        let rush = RUSH_BY_HOUR[hour] / 100.0 * week_factor(when.date());
        let sun = SUN_BY_HOUR[hour] / 100.0;
        let swing = (1.0 + air.stagnation).clamp(0.25, 2.6);
        let noise = |dice: &mut Dice| 1.0 + 0.06 * dice.bell();
        let pm25 = PM25_BY_MONTH[month] * DUST_BY_HOUR[hour] / 100.0 * self.site.dust * swing * noise(dice);
        let pm10 = pm25 * 1.28 + 9.0 * self.site.traffic * rush * noise(dice) + 4.0;
        let no2 = (12.0 + 42.0 * self.site.traffic * rush) * swing.min(1.6) * noise(dice);
        let o3 = (14.0 + 118.0 * sun) * (1.25 - 0.25 * self.site.traffic) * noise(dice);
        let co = (420.0 + 900.0 * self.site.traffic * rush) * swing.min(1.8) * noise(dice);
        let so2 = (9.0 + 7.0 * self.site.dust) * swing.min(1.8) * noise(dice);
        let warm = TEMPERATURE_BY_MONTH[month] - 2.6 + 6.4 * sun + air.warmth + 0.2 * dice.bell();
        let damp = (96.0 - 34.0 * sun - 0.8 * air.warmth + 1.5 * dice.bell()).clamp(30.0, 100.0);
        let aqi = air_quality_index(pm25, pm10, no2, o3);
        format!(
            "{pm25:.1},{pm10:.1},{no2:.1},{o3:.1},{co:.1},{so2:.1},{aqi:.0},{warm:.1},{damp:.0},hoat_dong"
        )
    }

    /// What the agency's staff write for themselves; never meant to leave.
    fn note(&self) -> &'static str {
        match self.status {
            Status::Running => "",
            Status::Calibrating => "kỹ thuật viên hiệu chuẩn; không công bố",
            Status::Silent => "kiểm tra nguồn điện và SIM",
        }
    }
}

/// The highest sub-index of the four pollutants, by the break points of decision 1459/QĐ-TCMT (2019), on the hour's own
/// values: the moving means of the decision are left out, this is a demonstration.
fn air_quality_index(pm25: f64, pm10: f64, no2: f64, o3: f64) -> f64 {
    const INDEX: [f64; 8] = [0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0];
    const PM25: [f64; 8] = [0.0, 25.0, 50.0, 80.0, 150.0, 250.0, 350.0, 500.0];
    const PM10: [f64; 8] = [0.0, 50.0, 150.0, 250.0, 350.0, 420.0, 500.0, 600.0];
    const NO2: [f64; 8] = [0.0, 100.0, 200.0, 700.0, 1200.0, 2350.0, 3100.0, 3850.0];
    const O3: [f64; 8] = [0.0, 160.0, 200.0, 300.0, 400.0, 800.0, 1000.0, 1200.0];
    let sub = |value: f64, steps: &[f64; 8]| {
        let step = steps.iter().skip(1).take(6).filter(|edge| value > **edge).count();
        let (low, high) = (steps[step], steps[step + 1]);
        let within = ((value - low) / (high - low)).clamp(0.0, 1.0);
        INDEX[step] + within * (INDEX[step + 1] - INDEX[step])
    };
    sub(pm25, &PM25).max(sub(pm10, &PM10)).max(sub(no2, &NO2)).max(sub(o3, &O3)).round()
}

fn month_index(day: Date) -> usize {
    usize::from(u8::from(day.month()) - u8::from(Month::January))
}
