import NIOCore

/// One command, formatted for the wire as it is built, on the caller's thread.
///
/// Only the leading argument count is left out until sending, so arguments can be appended one by
/// one without boxing:
///
///     var command = RedisCommand("HDEL", reserving: 4096)
///     command.append(key)
///     for field in fields { command.append(field) }
package struct RedisCommand: Sendable {
    /// The command's name, for errors and logs.
    package let name: String
    /// The arguments in RESP form, the name included, without the leading count.
    private(set) var body: [UInt8] = []
    /// The number of arguments, the name included.
    private(set) var count = 0

    /// Begins a command; `bytes` is room for arguments to come.
    package init(_ name: String, reserving bytes: Int) {
        self.name = name
        body.reserveCapacity(name.utf8.count + 16 + bytes)
        append(name)
    }

    package init(_ name: String, _ arguments: any RedisArgument...) {
        self.init(name, arguments)
    }

    package init(_ name: String, _ arguments: [any RedisArgument]) {
        self.init(name, reserving: 32 * arguments.count)
        for argument in arguments { argument.append(to: &self) }
    }

    /// Adds one argument.
    package mutating func append(_ argument: some RedisArgument) {
        argument.append(to: &self)
    }

    /// Adds one argument from bytes.
    package mutating func append(_ argument: [UInt8]) { append(bytes: argument) }

    /// Adds one argument from text.
    package mutating func append(_ argument: String) { append(bytes: argument.utf8) }

    /// Adds each element as an argument.
    package mutating func append(contentsOf arguments: some Sequence<some RedisArgument>) {
        for argument in arguments { argument.append(to: &self) }
    }

    /// Puts another beginning, of `headCount` arguments, before what follows `offset`.
    init(
        _ name: String, head: RedisCommand, tailOf other: RedisCommand, from offset: Int,
        tailCount: Int
    ) {
        self.name = name
        body.reserveCapacity(head.body.count + other.body.count - offset)
        body.append(contentsOf: head.body)
        body.append(contentsOf: other.body[offset...])
        count = head.count + tailCount
    }

    /// The bytes as they go over the wire.
    package var wireBytes: [UInt8] {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// An upper bound of the bytes that ``write(to:)`` adds.
    var wireSize: Int { body.count + 24 }

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "*"))
        buffer.writeString(String(count))
        buffer.writeStaticString("\r\n")
        buffer.writeBytes(body)
    }
}

extension RedisCommand {
    mutating func append(bytes: some Collection<UInt8>) {
        append(length: bytes.count)
        body.append(contentsOf: bytes)
        endLine()
        count += 1
    }

    mutating func append(integer: Int64) {
        append(bytes: String(integer).utf8)
    }

    private mutating func append(length: Int) {
        body.append(UInt8(ascii: "$"))
        body.append(contentsOf: String(length).utf8)
        endLine()
    }

    private mutating func endLine() {
        body.append(UInt8(ascii: "\r"))
        body.append(UInt8(ascii: "\n"))
    }
}
