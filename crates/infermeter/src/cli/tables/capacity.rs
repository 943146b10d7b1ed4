//! Flags of `capacity`.

use crate::capacity::{Headroom, Rates};
use infermeter_core::key::Form;
use infermeter_core::keys;
use infermeter_core::plan::RateProfile;
use infermeter_core::slo::Slo;
use std::path::PathBuf;

keys! {
    /// Flags of `capacity`.
    pub struct CapacityArgs {
        paths: Vec<PathBuf> = Vec::new(), General, "EXPERIMENT",
            "Directory of an experiment with runs at several rates, or several directories of runs that \
             differ in their rate alone"
            .form(Form::Required).example("runs/sweep");
        target_rate: Option<Rates> = None, General, "R[,R...]",
            "Requests per second to serve; several are answered side by side"
            .common().dashes().example("50,100,200");
        target_profile: Option<RateProfile> = None, General, "PROFILE",
            "A load that changes over the day, as for --rate-profile: instances hour by hour"
            .common().example("diurnal:10..100/24h");
        target_trace: Option<PathBuf> = None, General, "FILE",
            "A trace whose arrivals are the load: instances hour by hour"
            .example("azure.csv");
        growth: f64 = 1.0, General, "X",
            "The load will be so many times the target"
            .common().example("1.5").above(0.0).most(1e6);
        headroom: Headroom = Headroom(0.0), General, "SHARE",
            "What stays free on top of the load"
            .common().dashes().example("20%");
        slo: Vec<Slo> = Vec::new(), General, "SLO",
            "Objective that an instance has to meet, instead of the runs' own"
            .common().example("ttft.p99<500ms");
        gpu_hour: Option<f64> = None, General, "PRICE",
            "Price of an accelerator for an hour"
            .common().absent("as the runs say with --gpu-hour, else no cost").example("2.50").above(0.0).most(1e9);
        gpus_per_instance: Option<u32> = None, General, "N",
            "Accelerators of the instance that was measured"
            .common().absent("as the runs say with --gpus").example("8").least(1.0).most(1e6);
        kwh: Option<f64> = None, General, "PRICE",
            "Price of a kilowatt-hour: what the energy of the GPUs costs"
            .absent("as the runs say with --kwh, else no price").example("0.25").above(0.0).most(1e6);
        linear: bool = false, General, "",
            "Leave out the simulated fleet";
    }
}
