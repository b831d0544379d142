/// A Lua script, named by the hash of its text once and for all.
package struct RedisScript: Sendable {
    /// For errors and logs.
    package let name: String
    /// The hash by which the server knows the script.
    package let sha1: String
    let source: [UInt8]

    package init(name: String, source: [UInt8]) {
        self.name = name
        self.source = source
        sha1 = SHA1.hexDigest(of: source)
    }

    package init(name: String, source: String) {
        self.init(name: name, source: Array(source.utf8))
    }

    /// `SCRIPT LOAD` of the text.
    package var load: RedisCommand { RedisCommand("SCRIPT", "LOAD", source) }
}

/// One call of a script, formatted as `EVALSHA` while it is built.
///
///     var call = RedisScriptCall(script, keys: ["unacked"], reserving: 64 * tags.count)
///     for tag in tags { call.append(tag) }
///     let reply = try await connection.run(call)
package struct RedisScriptCall: Sendable {
    package let script: RedisScript
    /// The call by hash; the server answers `NOSCRIPT` if it does not have the text.
    package private(set) var evalsha: RedisCommand
    /// Where the number of keys begins: what `EVAL` and `EVALSHA` have in common.
    private let commonOffset: Int

    /// Begins a call; `bytes` is room for arguments to come.
    package init(_ script: RedisScript, keys: [String], reserving bytes: Int = 0) {
        self.script = script
        evalsha = RedisCommand("EVALSHA", reserving: 64 + 48 * keys.count + bytes)
        evalsha.append(script.sha1)
        commonOffset = evalsha.body.count
        evalsha.append(keys.count)
        evalsha.append(contentsOf: keys)
    }

    package init(
        _ script: RedisScript, keys: [String], arguments: [any RedisArgument],
        reserving bytes: Int = 0
    ) {
        self.init(script, keys: keys, reserving: 32 * arguments.count + bytes)
        for argument in arguments { argument.append(to: &evalsha) }
    }

    /// Adds one argument (an element of `ARGV`).
    package mutating func append(_ argument: some RedisArgument) { evalsha.append(argument) }

    /// Adds one argument from bytes.
    package mutating func append(_ argument: [UInt8]) { evalsha.append(argument) }

    /// Adds one argument from text.
    package mutating func append(_ argument: String) { evalsha.append(argument) }

    /// Adds one argument that is made of two texts.
    package mutating func append(_ text: String, followedBy rest: String) {
        evalsha.append(text, followedBy: rest)
    }

    /// Adds one argument: text with a number behind it.
    package mutating func append(_ text: String, followedBy number: Int) {
        evalsha.append(text, followedBy: number)
    }

    /// Adds each element as an argument.
    package mutating func append(contentsOf arguments: some Sequence<some RedisArgument>) {
        evalsha.append(contentsOf: arguments)
    }

    /// The same call with the script's text: longer, but never answered with `NOSCRIPT`.
    package var eval: RedisCommand {
        let hash = 2  // EVALSHA and the hash
        return RedisCommand(
            "EVAL", head: RedisCommand("EVAL", script.source), tailOf: evalsha,
            from: commonOffset, tailCount: evalsha.count - hash)
    }
}
