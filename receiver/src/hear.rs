//! When a rogue has heard enough of a client to act.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What it waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hearing {
    /// Anything.
    FirstWord,
    /// A request of HTTP/1.1.
    Http1,
    /// A request of HTTP/2.
    Http2,
}

impl Hearing {
    pub(crate) async fn wait(self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        match self {
            Self::FirstWord => first_word(stream).await,
            Self::Http1 => request(stream).await,
            Self::Http2 => stream_of_frames(stream).await,
        }
    }
}

/// Whatever the client says first.
async fn first_word(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    match stream.read(&mut [0; 4_096]).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// A whole request with a body of a stated length.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut chunk = [0; 4_096];
        match stream.read(&mut chunk).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => request.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(())
}

fn is_whole(request: &[u8]) -> bool {
    let end = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some((head, body)) = end.map(|end| request.split_at(end + 4)) else { return false };
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// Frames up to one that ends a stream.
async fn stream_of_frames(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const HEAD: usize = 9;
    const DATA_OR_HEADERS: std::ops::RangeInclusive<u8> = 0..=1;
    const END_STREAM: u8 = 1;
    loop {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await?;
        let length = if PREFACE.starts_with(&head) {
            PREFACE.len() - HEAD
        } else {
            usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])
        };
        stream.read_exact(&mut vec![0; length]).await?;
        let is_frame = !PREFACE.starts_with(&head);
        if is_frame && DATA_OR_HEADERS.contains(&head[3]) && head[4] & END_STREAM != 0 {
            return Ok(());
        }
    }
}
