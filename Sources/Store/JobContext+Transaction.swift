package import JobModel
package import Postgres

/// Whether a transaction is fenced; `off` is for proving that a test can see what fencing prevents.
package enum EffectFencing: Sendable {
    case on
    /// Neither claims nor records: repeats and zombies take effect again.
    case off
}

extension JobContext {
    /// Commits the writes of `body` once for this job, however often and by whomever it is run.
    ///
    /// ```swift
    /// let number = try await context.transaction(on: pool) { transaction in
    ///     _ = try await transaction.query("update accounts set …")
    ///     return 42
    /// }
    /// ```
    ///
    /// The writes, and the record that they were made, are one PostgreSQL transaction under the
    /// job's id. A repeat does not run `body`; it gets the recorded value. Two holders of one
    /// message take turns. What `body` throws rolls all back and records nothing; nothing is
    /// retried here.
    ///
    /// Call it last. With `isLast` the whole job is done with this commit: a repeat is settled with
    /// the recorded value as the job's result and never run again, also after a failure or a snooze
    /// behind this call. A job that goes on afterwards says `isLast: false`: its repeat runs, gets
    /// the recorded value here, and goes on to its later steps. A job with several transactions
    /// names each by its own constant `step`.
    ///
    /// It costs one round trip more than a bare transaction: the claim travels with `BEGIN`, the
    /// record with `COMMIT`. Records are kept for `effects.keep_seconds` after a holder last showed
    /// itself.
    ///
    /// - Parameters:
    ///   - pool: The database with the table `job_effects`.
    ///   - step: Which of the job's transactions this is; needed only when there are several.
    ///   - isLast: Whether the whole job is done with it.
    ///   - fencing: `off` in the negative control of the fault suite, nowhere else.
    ///   - body: Runs at most once to a commit; must not wait for other systems. Its value is
    ///     kept as JSON, at most 256 KiB.
    /// - Returns: What `body` returned, now or in an earlier run.
    /// - Throws: ``LeaseLost`` when a later holder of the message has shown itself;
    ///   `PermanentFailure` when the value is too large, or the recorded one is of another type;
    ///   `PostgresError`; what `body` throws.
    package func transaction<Value: Codable & Sendable>(
        on pool: PostgresPool, step: String = "", isLast: Bool = true,
        fencing: EffectFencing = .on,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        guard fencing == .on else { return try await pool.transaction(body) }
        let effects = EffectRepository()
        return try await pool.transaction { transaction in
            if let done = try await effects.claim(step, of: id, by: fence, in: transaction) {
                return try recorded(done, step)
            }
            let value = try await body(transaction)
            let result = try JSONValue(encoding: value).encoded()
            guard result.count <= EffectRepository.maximumResultBytes else {
                throw PermanentFailure(
                    "a transaction's value has more than \(EffectRepository.maximumResultBytes) "
                        + "bytes: return what names it instead")
            }
            try transaction.atCommit(
                effects.record(
                    step, of: id, isLast: isLast, result: String(decoding: result, as: UTF8.self)))
            return value
        }
    }

    /// The same, for a body that returns nothing.
    package func transaction(
        on pool: PostgresPool, step: String = "", isLast: Bool = true,
        fencing: EffectFencing = .on,
        _ body: (PostgresTransaction) async throws -> Void
    ) async throws {
        _ = try await transaction(on: pool, step: step, isLast: isLast, fencing: fencing) {
            transaction -> JSONValue in
            try await body(transaction)
            return .null
        }
    }

    private func recorded<Value: Decodable>(
        _ record: EffectRepository.Record, _ step: String
    ) throws -> Value {
        do {
            return try JSONValue(parsing: Array((record.result ?? "null").utf8)).decoded()
        } catch {
            throw PermanentFailure(
                "the job took effect before, but what it recorded is no longer a \(Value.self): "
                    + "see job_effects, job_id \(id), step “\(step)”")
        }
    }
}
