/// Safe zlib: whole buffers in, whole buffers out.
///
/// Both functions are pure and may run on any thread; they take as long as their input is large.
package enum Compression {
    /// Decompresses a zlib (RFC 1950) or gzip (RFC 1952) stream.
    ///
    /// No more than `limit` bytes may come out, which guards against decompression bombs.
    ///
    /// - Throws: `ZlibError` when the stream is damaged, incomplete, followed by other bytes, or
    ///   larger inside than `limit`.
    package static func inflated(_ bytes: [UInt8], limit: Int) throws(ZlibError) -> [UInt8] {
        try CompressionStream(.inflate).run(bytes, limit: limit)
    }

    /// Compresses into a zlib stream (RFC 1950), which is what Celery means by `gzip`.
    package static func deflated(_ bytes: [UInt8]) throws(ZlibError) -> [UInt8] {
        try CompressionStream(.deflate).run(bytes, limit: .max)
    }
}
