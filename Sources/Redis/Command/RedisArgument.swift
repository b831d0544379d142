/// What a command can carry: strings, bytes and numbers.
package protocol RedisArgument: Sendable {
    /// Adds this value to `command` as one argument.
    func append(to command: inout RedisCommand)
}

extension String: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(bytes: utf8) }
}

extension Substring: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(bytes: utf8) }
}

extension [UInt8]: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(bytes: self) }
}

extension ArraySlice<UInt8>: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(bytes: self) }
}

extension Int: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(integer: Int64(self)) }
}

extension Int64: RedisArgument {
    package func append(to command: inout RedisCommand) { command.append(integer: self) }
}

extension Double: RedisArgument {
    /// The shortest decimal form that reads back as the same number; `inf` as Redis spells it.
    package func append(to command: inout RedisCommand) { description.append(to: &command) }
}
