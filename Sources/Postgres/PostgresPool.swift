package import Logging
import Mailbox

/// A bounded pool of PostgreSQL connections.
///
/// Each connection has one thread that owns its libpq handle in pipeline mode, with a mailbox in
/// front; calls of many tasks share a connection, a transaction has one to itself. Connections are
/// made when needed and made again after they are lost. Nothing is kept in a session beyond its
/// transaction, so the pool works through pgbouncer's transaction mode.
package final class PostgresPool: Sendable {
    package let options: PostgresOptions
    let logger: Logger
    private let parameters: Result<ConnectionParameters, PostgresError>
    private let outage: OutageLog
    private let ledger: Locked<PoolLedger>
    private let connections = Locked<[PostgresConnection]>([])
    private let listeners = Locked<[ListenerDriver]>([])
    private let idle = ThreadExit()

    /// Makes a pool without connecting; a conninfo that cannot be parsed fails the first call.
    package init(options: PostgresOptions, logger: Logger) {
        self.options = options
        self.logger = logger
        do throws(PostgresError) {
            var parsed = try ConnectionParameters(conninfo: options.conninfo)
            parsed.apply(options)
            parameters = .success(parsed)
        } catch {
            parameters = .failure(error)
        }
        outage = OutageLog(logger: logger, address: options.address)
        ledger = Locked(
            PoolLedger(size: options.poolSize, maximumPending: options.maximumPending))
    }

    /// Runs one statement in its own implicit transaction.
    ///
    /// - Throws: ``PostgresError``; with `mayHaveRun` when the statement was sent and no answer
    ///   came.
    package func query(_ query: PostgresQuery) async throws(PostgresError) -> PostgresRows {
        let results = try await batch([query])
        return results[0]
    }

    /// Runs statements in one round trip and one implicit transaction: all of them or none.
    package func batch(_ queries: [PostgresQuery]) async throws(PostgresError) -> [PostgresRows] {
        guard !queries.isEmpty else { return [] }
        do throws(PostgresError) {
            let grant = try await acquire(exclusive: false)
            defer { release(grant) }
            return try await connection(grant).run(queries)
        } catch {
            throw noted(error)
        }
    }

    /// Runs `body` in a transaction on a connection of its own.
    ///
    /// Commits when `body` returns and rolls back when it throws; nothing is retried. When the
    /// server answers the commit with a rollback, because a statement failed whose error `body`
    /// swallowed, that is an error. A commit whose answer is lost throws `connectionLost` with
    /// `mayHaveRun`: its outcome is unknown.
    package func transaction<Value: Sendable>(
        isolation: PostgresIsolation = .readCommitted,
        _ body: (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let grant = try await acquire(exclusive: true)
        guard let lease = grant.lease else {
            preconditionFailure("an exclusive grant has a lease")
        }
        let connection: PostgresConnection
        do throws(PostgresError) {
            connection = try self.connection(grant)
        } catch {
            release(grant)
            throw error
        }
        let scope = TransactionScope(connection: connection, lease: lease, isolation: isolation)
        defer {
            connection.release(lease)
            release(grant)
        }
        do {
            let value = try await body(PostgresTransaction(scope: scope))
            try await scope.commit()
            return value
        } catch {
            await scope.rollback()
            if let error = error as? PostgresError { _ = noted(error) }
            throw error
        }
    }

    /// The notifications of a channel, over a connection of its own that is made again when lost.
    ///
    /// Ends with the pool. The direct server is needed: pgbouncer's transaction mode hears nothing.
    package func listen(_ channel: String) -> AsyncStream<PostgresNotification> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self,
            bufferingPolicy: .bufferingNewest(options.maximumNotifications))
        guard case .success(let parameters) = parameters,
            !ledger.withLock({ $0.isClosed })
        else {
            continuation.finish()
            return stream
        }
        let listener = ListenerDriver.start(
            channel: channel, options: options, parameters: parameters, outage: outage,
            continuation: continuation)
        listeners.withLock { listeners in
            listeners.removeAll { $0.hasEnded }
            listeners.append(listener)
        }
        return stream
    }

    /// Refuses further calls, leaves the shutdown timeout to those under way, ends all threads.
    package func shutdown() async {
        for waiter in ledger.withLock({ $0.close() }) {
            waiter.answer.resume(
                returning: .failure(PostgresError(.closed, "the pool is shut down")))
        }
        noteIfIdle()
        await withTaskGroup { group in
            group.addTask { [idle] in await idle.wait() }
            group.addTask { [idle, timeout = options.shutdownTimeout] in
                try? await ContinuousClock().sleep(for: timeout)
                idle.note()
            }
            _ = await group.next()
            group.cancelAll()
        }
        let stopping = connections.withLock { $0 }
        let listening = listeners.withLock { $0 }
        for listener in listening { listener.stop() }
        await withTaskGroup { group in
            for connection in stopping { group.addTask { await connection.stop() } }
            for listener in listening { group.addTask { await listener.ended() } }
        }
    }

    // MARK: Connections

    private func connection(_ grant: PoolLedger.Grant) throws(PostgresError) -> PostgresConnection {
        let parameters = try parameters.get()
        return connections.withLock { connections in
            while connections.count <= grant.index {
                connections.append(
                    PostgresConnection(
                        options: options, parameters: parameters, outage: outage))
            }
            return connections[grant.index]
        }
    }

    private func acquire(exclusive: Bool) async throws(PostgresError) -> PoolLedger.Grant {
        let (ticket, grant) = try ledger.withLock { (ledger) throws(PostgresError) in
            try ledger.enter()
            return (ledger.number(), ledger.grant(exclusive: exclusive))
        }
        if let grant { return grant }
        let answer = await waitForGrant(ticket: ticket, exclusive: exclusive)
        if case .failure = answer { leave() }
        return try answer.get()
    }

    private func waitForGrant(
        ticket: UInt64, exclusive: Bool
    ) async -> Result<PoolLedger.Grant, PostgresError> {
        let timeout = options.leaseTimeout
        return await withTaskCancellationHandler {
            await withTaskGroup(of: Result<PoolLedger.Grant, PostgresError>?.self) { group in
                group.addTask { await self.queueUp(ticket: ticket, exclusive: exclusive) }
                group.addTask {
                    guard (try? await ContinuousClock().sleep(for: timeout)) != nil else {
                        return nil
                    }
                    self.giveUp(
                        ticket,
                        PostgresError(.poolExhausted, "no connection became free in \(timeout)"))
                    return nil
                }
                while let answer = await group.next() {
                    guard let answer else { continue }
                    group.cancelAll()
                    return answer
                }
                return .failure(PostgresError(.cancelled, "the task was cancelled"))
            }
        } onCancel: {
            giveUp(ticket, PostgresError(.cancelled, "the task was cancelled while it waited"))
        }
    }

    private func queueUp(
        ticket: UInt64, exclusive: Bool
    ) async -> Result<PoolLedger.Grant, PostgresError> {
        await withCheckedContinuation { continuation in
            let isCancelled = Task.isCancelled
            let early = ledger.withLock { ledger -> Result<PoolLedger.Grant, PostgresError>? in
                if ledger.isClosed {
                    return .failure(PostgresError(.closed, "the pool is shut down"))
                }
                if isCancelled {
                    return .failure(PostgresError(.cancelled, "the task was cancelled"))
                }
                if let grant = ledger.grant(exclusive: exclusive) { return .success(grant) }
                ledger.enqueue(
                    PoolLedger.Waiter(
                        ticket: ticket, isExclusive: exclusive, answer: continuation))
                return nil
            }
            if let early { continuation.resume(returning: early) }
        }
    }

    private func giveUp(_ ticket: UInt64, _ error: PostgresError) {
        ledger.withLock { $0.withdraw(ticket) }?.answer.resume(returning: .failure(error))
    }

    private func release(_ grant: PoolLedger.Grant) {
        for (waiter, grant) in ledger.withLock({ $0.release(grant) }) {
            waiter.answer.resume(returning: .success(grant))
        }
        leave()
    }

    private func leave() {
        ledger.withLock { $0.leave() }
        noteIfIdle()
    }

    private func noteIfIdle() {
        if ledger.withLock({ $0.isClosed && $0.activeCalls == 0 }) { idle.note() }
    }

    private func noted(_ error: PostgresError) -> PostgresError {
        logger.debug(
            "A statement failed",
            metadata: [
                "sql.name": "\(error.queryName ?? "")", "error.code": "\(error.code.rawValue)",
                "error.message": "\(error.message)",
            ])
        return error
    }
}
