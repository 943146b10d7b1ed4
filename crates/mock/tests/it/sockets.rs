//! Simulators that listen on a socket of the file system.

use infermeter_mock::{Config, Preset, spawn_in_thread};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

fn config(path: &Path) -> Config {
    let mut config = Config::new(Preset::parse("fixed").expect("a preset"));
    config.socket = Some(path.to_owned());
    config
}

#[test]
fn a_socket_is_served_and_its_file_goes_with_the_simulator() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    // What a killed one has left is replaced.
    drop(UnixListener::bind(&path).expect("a socket"));
    let mock = spawn_in_thread(config(&path)).expect("a simulator");
    assert_eq!(mock.base_url(), format!("unix:{}", path.display()));
    let mut stream = UnixStream::connect(&path).expect("it listens");
    let request = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("room");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let second = spawn_in_thread(config(&path)).expect_err("it is taken");
    assert!(
        second.to_string().contains("listens there already"),
        "{second}"
    );
    mock.stop().expect("a good end");
    assert!(!path.exists());
}

#[test]
fn another_file_is_not_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "keep me").expect("written");
    let error = spawn_in_thread(config(&path)).expect_err("a file");
    assert!(
        error.to_string().contains("another kind of file"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("still there"),
        "keep me"
    );
    let nowhere = directory.path().join("none/engine.sock");
    let error = spawn_in_thread(config(&nowhere)).expect_err("no directory");
    assert!(error.to_string().contains("No such file"), "{error}");
}
