#![cfg_attr(fuzzing, no_main)]

layersift_fuzz::program!("seven_zip");
