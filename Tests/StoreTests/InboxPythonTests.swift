import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("What comes in from outside, through a receiver in Python")
struct InboxPythonTests {
    /// The statement of docs/inbox.md, as psycopg sends it.
    private static let script = PythonScript(
        """
        import json, sys
        import psycopg

        RECEIVE = '''
            select job_id, is_new, is_conflict from backhaul.receive(
                source => 'stripe', message_id => %s, job => 'payments.gateway_event',
                kwargs => %s::json, payload => %s)
        '''
        given = json.load(open(sys.argv[1]))
        rows = []
        for body in given["bodies"]:
            with psycopg.connect(given["url"]) as connection:
                event = json.loads(body)
                kwargs = json.dumps({"event_id": event["id"], "type": event["type"]})
                rows.append(connection.execute(
                    RECEIVE, (event["id"], kwargs, body.encode())).fetchone())
        print(json.dumps(rows))
        """)

    @Test("it is told what is new, what was there, and what conflicts")
    func receiver() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let pool = PostgresServer.pool(url)
            _ = try await Migrator(pool: pool).up()
            let first = #"{"id": "evt_1", "type": "payment_intent.succeeded", "é": "\\"}"#
            let rows = try await Self.script.run([
                "url": .string(url),
                "bodies": [
                    .string(first), .string(first),
                    #"{"id": "evt_1", "type": "payment_intent.payment_failed"}"#,
                ],
            ])
            guard case .array(let answers) = rows, case .array(let new)? = answers.first else {
                Issue.record("no rows: \(rows)")
                return
            }
            #expect(
                answers == [
                    [new[0], true, false], [new[0], false, false], [new[0], false, true],
                ])
            #expect(try await InboxTests.enqueued(pool).map { JSONValue.string($0) } == [new[0]])
            await pool.shutdown()
        }
    }
}
