extension RedisConnection {
    /// Calls a script by its hash, and with its text if the server does not know it; an error reply
    /// is thrown as `.server`.
    package func run(
        _ call: RedisScriptCall, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        var reply = try await exchange(call.evalsha, timeout: timeout)
        if reply.serverError?.code == "NOSCRIPT" {
            reply = try await exchange(call.eval, timeout: timeout)
        }
        if case .error(let error) = reply {
            throw RedisError(error, answering: "script \(call.script.name)")
        }
        return reply
    }

    /// Calls a script; see ``run(_:timeout:)``.
    package func run(
        _ script: RedisScript, keys: [String], arguments: [any RedisArgument],
        timeout: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        try await run(
            RedisScriptCall(script, keys: keys, arguments: arguments), timeout: timeout)
    }

    /// Sends commands and a script behind them in one write: the way to wait with `BLMOVE` and run
    /// the script in the same turn of the server.
    ///
    /// Error replies are values, because the commands may have done their part although the script
    /// failed. If the server does not know the script, it is called once more, alone, with its text.
    package func pipeline(
        _ commands: [RedisCommand], then call: RedisScriptCall, timeout: Duration? = nil,
        connecting: Duration? = nil
    ) async throws(RedisError) -> (replies: [RedisValue], script: RedisValue) {
        var replies = try await pipeline(
            commands + [call.evalsha], timeout: timeout, connecting: connecting)
        var script = replies.removeLast()
        if script.serverError?.code == "NOSCRIPT" {
            script = try await exchange(call.eval, timeout: timeout)
        }
        return (replies, script)
    }
}
