private import CHiredis

/// A streaming RESP2 parser: hiredis' `redisReader`, the only C code the module uses.
///
/// C functions: `redisReaderCreateWithFunctions`, `redisReaderFeed`, `redisReaderGetReply`,
/// `redisReaderFree` (hiredis 0.14, `read.h`). The reader calls back for each part of a reply, and
/// the callbacks copy it into Swift values at once, so no C object outlives a call.
///
/// Threading: one parser belongs to one channel and is used on its event loop only. Ownership: the
/// reader is freed exactly once, in `deinit`. After an error the parser stays in error: close the
/// connection.
@safe  // The pointers are private, made in init, freed in deinit, and the type cannot be copied.
struct ReplyParser: ~Copyable {
    /// The reader moves what it has not yet consumed: larger portions make it slow.
    static let largestPortion = 64 * 1024

    private let reader: UnsafeMutablePointer<redisReader>
    private let callbacks: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let builder = ReplyBuilder()
    private let maximumReplyBytes: Int
    private var bytesOfReply = 0

    /// Makes a parser that refuses a reply longer than `maximumReplyBytes`.
    init(maximumReplyBytes: Int) {
        unsafe callbacks = .allocate(capacity: 1)
        unsafe callbacks.initialize(
            to: redisReplyObjectFunctions(
                createString: addString, createArray: addArray, createInteger: addInteger,
                createNil: addNull, freeObject: keepObject))
        guard let reader = unsafe redisReaderCreateWithFunctions(callbacks) else {
            preconditionFailure("no memory for a reply parser")
        }
        unsafe self.reader = unsafe reader
        self.maximumReplyBytes = maximumReplyBytes
        unsafe reader.pointee.privdata = unsafe Unmanaged.passUnretained(builder).toOpaque()
    }

    deinit {
        unsafe redisReaderFree(reader)
        unsafe callbacks.deallocate()
    }

    /// Takes at most ``largestPortion`` bytes from the wire; call ``next()`` until it returns nil
    /// before the next portion.
    mutating func feed(_ bytes: RawSpan) throws(RedisError) {
        precondition(bytes.byteCount <= Self.largestPortion, "a portion is at most 64 KiB")
        bytesOfReply += bytes.byteCount
        guard bytesOfReply <= maximumReplyBytes else {
            throw RedisError(
                .protocolViolation, "a reply is longer than \(maximumReplyBytes) bytes")
        }
        let failed = unsafe bytes.withUnsafeBytes { bytes in
            unsafe redisReaderFeed(
                reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard failed == REDIS_OK else { throw failure }
    }

    /// The next complete reply, or nil if more bytes are needed.
    mutating func next() throws(RedisError) -> RedisValue? {
        var object: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure }
        guard let value = builder.take() else { return nil }
        unsafe bytesOfReply = reader.pointee.len - reader.pointee.pos
        return value
    }

    private var failure: RedisError {
        // hiredis' own words may quote a byte of the stream, nothing more.
        let words = unsafe withUnsafeBytes(of: &reader.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RedisError(.protocolViolation, "the peer does not speak RESP2: \(words)")
    }
}

// The callbacks. hiredis treats the result as an opaque object and only asks that it is not null;
// the builder itself serves, as it owns everything. Its pointer is the reader's private data, valid
// because the parser keeps the builder as long as the reader.

private typealias ReadTask = UnsafePointer<redisReadTask>

private func builder(_ task: ReadTask?) -> ReplyBuilder? {
    guard let context = unsafe task?.pointee.privdata else { return nil }
    return unsafe Unmanaged<ReplyBuilder>.fromOpaque(context).takeUnretainedValue()
}

private func addString(
    _ task: ReadTask?, _ text: UnsafeMutablePointer<CChar>?, _ length: Int
) -> UnsafeMutableRawPointer? {
    let bytes = unsafe UnsafeRawBufferPointer(start: text, count: length)
    let value: RedisValue =
        switch unsafe task?.pointee.type {
        case REDIS_REPLY_ERROR:
            unsafe .error(RedisServerError(line: String(decoding: bytes, as: UTF8.self)))
        case REDIS_REPLY_STATUS:
            unsafe .status(String(decoding: bytes, as: UTF8.self))
        default:
            unsafe .bulk(Array(bytes))
        }
    unsafe builder(task)?.add(value)
    return unsafe task?.pointee.privdata
}

private func addArray(_ task: ReadTask?, _ count: CInt) -> UnsafeMutableRawPointer? {
    unsafe builder(task)?.beginArray(count: Int(count))
    return unsafe task?.pointee.privdata
}

private func addInteger(_ task: ReadTask?, _ value: CLongLong) -> UnsafeMutableRawPointer? {
    unsafe builder(task)?.add(.integer(value))
    return unsafe task?.pointee.privdata
}

private func addNull(_ task: ReadTask?) -> UnsafeMutableRawPointer? {
    unsafe builder(task)?.add(.null)
    return unsafe task?.pointee.privdata
}

private func keepObject(_ object: UnsafeMutableRawPointer?) {}
