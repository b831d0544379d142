private import CZlib

/// One zlib stream, to inflate or to deflate; used by one thread, freed exactly once.
///
/// C functions: `inflateInit2_`, `inflate`, `inflateEnd`, `deflateInit_`, `deflate`, `deflateEnd`.
/// Ownership: the `z_stream` lives in memory of its own, because zlib keeps a pointer to it; it is
/// freed when this value ends. No pointer to input or output outlives a call.
///
/// Source: https://www.zlib.net/manual.html
@safe struct CompressionStream: ~Copyable {
    /// What the stream does.
    enum Direction {
        case inflate
        case deflate
    }

    /// Output is made in pieces of at most this many bytes.
    static let pieceBytes = 64 * 1024

    private let stream: UnsafeMutablePointer<z_stream>
    private let direction: Direction

    /// Makes the state of a stream.
    init(_ direction: Direction) throws(ZlibError) {
        self.direction = direction
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let status =
            switch direction {
            // 15 is the largest window; 32 more means that zlib and gzip headers are told apart.
            case .inflate: unsafe inflateInit2_(stream, 15 + 32, ZLIB_VERSION, size)
            case .deflate:
                unsafe deflateInit_(stream, Z_DEFAULT_COMPRESSION, ZLIB_VERSION, size)
            }
        guard status == Z_OK else {
            throw ZlibError(code: .memory, message: "zlib could not make a stream")
        }
    }

    deinit {
        // Ending a stream whose beginning failed is harmless: its state is null.
        switch direction {
        case .inflate: unsafe _ = inflateEnd(stream)
        case .deflate: unsafe _ = deflateEnd(stream)
        }
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Runs the whole `input` through the stream.
    ///
    /// More than `limit` bytes of output are an error, found before the output has grown past the
    /// limit by more than ``pieceBytes``.
    consuming func run(_ input: [UInt8], limit: Int) throws(ZlibError) -> [UInt8] {
        var output: [UInt8] = []
        var taken = 0
        while true {
            let step = advance(input, from: taken, into: &output)
            taken += step.taken
            guard output.count <= limit else {
                throw ZlibError(code: .tooLarge, message: "more than \(limit) bytes come out")
            }
            switch step.status {
            case Z_STREAM_END:
                guard taken == input.count else {
                    throw ZlibError(code: .trailing, message: "bytes follow the end of the stream")
                }
                return output
            case Z_OK:
                continue
            case Z_BUF_ERROR where taken == input.count:
                throw ZlibError(code: .truncated, message: "the stream ends early")
            case Z_MEM_ERROR:
                throw ZlibError(code: .memory, message: "zlib is out of memory")
            default:
                throw ZlibError(code: .corrupt, message: "not a zlib or gzip stream, or damaged")
            }
        }
    }

    /// One call of zlib: how much input it took, and what it said.
    private func advance(
        _ input: [UInt8], from start: Int, into output: inout [UInt8]
    ) -> (taken: Int, status: Int32) {
        let offered = min(input.count - start, Int(UInt32.max))
        let finishes = start + offered == input.count ? Z_FINISH : Z_NO_FLUSH
        var status = Z_OK
        var taken = 0
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { space, filled in
            unsafe input.withUnsafeBufferPointer { bytes in
                // zlib does not write through `next_in`; its type lacks the const.
                unsafe stream.pointee.next_in = bytes.baseAddress.map {
                    unsafe UnsafeMutablePointer(mutating: $0 + start)
                }
                unsafe stream.pointee.avail_in = UInt32(offered)
                unsafe stream.pointee.next_out = space.baseAddress
                unsafe stream.pointee.avail_out = UInt32(space.count)
                status =
                    switch direction {
                    case .inflate: unsafe inflate(stream, Z_NO_FLUSH)
                    case .deflate: unsafe deflate(stream, finishes)
                    }
                taken = unsafe offered - Int(stream.pointee.avail_in)
                filled = unsafe space.count - Int(stream.pointee.avail_out)
                unsafe stream.pointee.next_in = nil
                unsafe stream.pointee.next_out = nil
            }
        }
        output.append(contentsOf: piece)
        return (taken, status)
    }
}
