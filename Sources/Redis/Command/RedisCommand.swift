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
    /// Adds one argument that is made of two texts.
    package mutating func append(_ text: String, followedBy rest: String) {
        append(length: text.utf8.count + rest.utf8.count)
        body.append(contentsOf: text.utf8)
        body.append(contentsOf: rest.utf8)
        endLine()
        count += 1
    }

    /// Adds one argument: text with a number behind it.
    package mutating func append(_ text: String, followedBy number: Int) {
        precondition(number >= 0, "a number behind text has no sign")
        append(length: text.utf8.count + number.decimalDigits)
        body.append(contentsOf: text.utf8)
        body.append(decimal: number)
        endLine()
        count += 1
    }

    /// Adds one argument of exactly `length` bytes, which `write` appends to those before.
    package mutating func append(length: Int, _ write: (inout [UInt8]) -> Void) {
        append(length: length)
        let end = body.count + length
        write(&body)
        precondition(body.count == end, "an argument has the length that was said")
        endLine()
        count += 1
    }

    mutating func append(bytes: some Collection<UInt8>) {
        append(length: bytes.count)
        body.append(contentsOf: bytes)
        endLine()
        count += 1
    }

    mutating func append(integer: Int64) {
        guard integer >= 0, let number = Int(exactly: integer) else {
            return append(bytes: String(integer).utf8)
        }
        append(length: number.decimalDigits)
        body.append(decimal: number)
        endLine()
        count += 1
    }

    private mutating func append(length: Int) {
        body.append(UInt8(ascii: "$"))
        body.append(decimal: length)
        endLine()
    }

    private mutating func endLine() {
        body.append(UInt8(ascii: "\r"))
        body.append(UInt8(ascii: "\n"))
    }
}

extension Int {
    /// How many digits it has; of a number that is not negative.
    fileprivate var decimalDigits: Int {
        var digits = 1
        var rest = self / 10
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        return digits
    }
}

extension [UInt8] {
    /// Appends the digits of a number that is not negative, without making a string of them.
    fileprivate mutating func append(decimal number: Int) {
        var power = 1
        while number / power >= 10 { power *= 10 }
        while power > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / power % 10))
            power /= 10
        }
    }
}
