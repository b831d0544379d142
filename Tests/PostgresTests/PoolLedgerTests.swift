import TestSupport
import Testing

@testable import Postgres

@Suite("PoolLedger") struct PoolLedgerTests {
    @Test("an idle connection comes first, then a new one, then the least busy")
    func choice() throws {
        var ledger = PoolLedger(size: 2, maximumPending: 10)
        let firstGrant = ledger.grant(exclusive: false)
        let first = try #require(firstGrant)
        let secondGrant = ledger.grant(exclusive: false)
        let second = try #require(secondGrant)
        #expect([first.index, second.index] == [0, 1])
        let thirdGrant = ledger.grant(exclusive: false)
        let third = try #require(thirdGrant)
        let fourthGrant = ledger.grant(exclusive: false)
        let fourth = try #require(fourthGrant)
        #expect([third.index, fourth.index] == [0, 1])
        _ = ledger.release(second)
        _ = ledger.release(fourth)
        let last = ledger.grant(exclusive: false)
        #expect(last?.index == 1)
    }

    @Test("a leased connection is nobody else's until it is released")
    func lease() throws {
        var ledger = PoolLedger(size: 1, maximumPending: 10)
        let leaseGrant = ledger.grant(exclusive: true)
        let lease = try #require(leaseGrant)
        #expect(lease.lease != nil)
        let refused = [ledger.grant(exclusive: false), ledger.grant(exclusive: true)]
        #expect(refused == [nil, nil])
        _ = ledger.release(lease)
        let nextGrant = ledger.grant(exclusive: true)
        let next = try #require(nextGrant)
        #expect(next.lease != lease.lease)
    }

    @Test("calls beyond the limit and calls after closing are refused")
    func refusals() throws {
        var ledger = PoolLedger(size: 1, maximumPending: 1)
        try ledger.enter()
        let full = #expect(throws: PostgresError.self) { try ledger.enter() }
        #expect(full?.code == .poolExhausted)
        ledger.leave()
        let waiting = ledger.close()
        #expect(waiting.isEmpty)
        let closed = #expect(throws: PostgresError.self) { try ledger.enter() }
        #expect(closed?.code == .closed)
    }
}

@Suite("ReconnectBackoff") struct ReconnectBackoffTests {
    @Test("delays grow to the cap, never below half of it, and start again after a success")
    func growth() {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        var backoff = ReconnectBackoff()
        for attempt in 0..<20 {
            let ceiling = min(
                ReconnectBackoff.cap, ReconnectBackoff.first * (1 << min(attempt, 10)))
            let delay = backoff.delay(using: &random)
            #expect(delay <= ceiling && delay >= ceiling / 2, "attempt \(attempt), seed \(seed)")
        }
        backoff.reset()
        let delay = backoff.delay(using: &random)
        #expect(delay <= ReconnectBackoff.first)
    }
}

@Suite("PostgresError") struct PostgresErrorTests {
    @Test(
        "transient conditions are worth another attempt",
        arguments: [
            (SQLState.serializationFailure, true), (.deadlockDetected, true),
            (.tooManyConnections, true), (.adminShutdown, true), (.lockNotAvailable, true),
            (.connectionFailure, true), (.queryCanceled, false), (.uniqueViolation, false),
            (.undefinedTable, false), (.invalidPassword, false),
        ])
    func transient(state: SQLState, isTransient: Bool) {
        #expect(PostgresError(.server, "x", sqlState: state).isTransient == isTransient)
    }

    @Test("the values that data exceptions quote are left out, the names of others stay")
    func redaction() {
        let data = PostgresError.redacted(
            "invalid input syntax for type uuid: \"hunter2\"", state: .invalidTextRepresentation)
        #expect(data == "invalid input syntax for type uuid: \"…\"")
        let name = PostgresError.redacted(
            "relation \"people\" does not exist", state: .undefinedTable)
        #expect(name == "relation \"people\" does not exist")
    }

    @Test("a description has the code, the state and the name of the query")
    func description() {
        let error = PostgresError(
            .server, "no", sqlState: .checkViolation, queryName: "payments.settle")
        #expect("\(error)" == "PostgreSQL server 23514 in payments.settle: no")
    }
}

@Suite("ConnectionParameters") struct ConnectionParametersTests {
    @Test("the URL's own options come after ours and win; the password is never shown")
    func merging() throws {
        var options = PostgresOptions(
            url: "postgresql://u:hunter2@db:6000/shop?options=-c%20timezone%3DCET")
        options.statementTimeout = .milliseconds(1_500)
        var parameters = try ConnectionParameters(conninfo: options.conninfo)
        parameters.apply(options)
        let sent = parameters.value("options") ?? ""
        #expect(sent.contains("-c statement_timeout=1500 "))
        #expect(sent.hasSuffix("-c timezone=CET"))
        #expect(parameters.value("password") == "hunter2")
        #expect("\(parameters)" == "db:6000/shop")
        var dumped = ""
        dump(parameters, to: &dumped)
        dump(options, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}
