import ProcessControl
import TestSupport
import Testing

@testable import Supervisor

@Suite("systemd hears what is so")
struct ProgressNoticeTests {
    private func notice(
        _ listener: NotifyListener, watchdog: String? = nil
    ) throws -> ProgressNotice {
        var environment = ["NOTIFY_SOCKET": listener.address]
        environment["WATCHDOG_USEC"] = watchdog
        let socket = NotifySocket(environment: environment)
        try #require(socket != nil)
        return ProgressNotice(socket)
    }

    @Test("readiness is said once, and a status when it changed, once a second at most")
    func statuses() throws {
        let listener = try NotifyListener()
        let notice = try notice(listener)
        notice.tell(isReady: false, status: "a", isProgressing: true, now: .zero)
        notice.tell(isReady: true, status: "b", isProgressing: true, now: .milliseconds(500))
        notice.tell(isReady: true, status: "b", isProgressing: true, now: .seconds(1))
        notice.tell(isReady: true, status: "b", isProgressing: true, now: .seconds(2))
        #expect(listener.fields == ["STATUS=a", "READY=1", "STATUS=b"])
    }

    @Test("a sign of life is given only with progress, and twice within the period")
    func watchdog() throws {
        let listener = try NotifyListener()
        let notice = try notice(listener, watchdog: "1000000")
        #expect(notice.interval == .milliseconds(500))
        notice.tell(isReady: true, status: "a", isProgressing: false, now: .zero)
        #expect(!listener.fields.contains("WATCHDOG=1"))
        notice.tell(isReady: true, status: "a", isProgressing: true, now: .zero)
        #expect(listener.fields.contains("WATCHDOG=1"))
        #expect(ProgressNotice(nil).interval == .seconds(1))
    }

    @Test("a reload ends with readiness; an end does not")
    func endings() throws {
        let listener = try NotifyListener()
        let notice = try notice(listener)
        notice.tell(isReady: true, status: "", isProgressing: true, now: .zero)
        notice.reloading()
        notice.tell(isReady: true, status: "", isProgressing: true, now: .seconds(1))
        notice.reloading()
        notice.stopping()
        notice.tell(isReady: true, status: "", isProgressing: true, now: .seconds(2))
        let words = listener.fields.filter { !$0.hasPrefix("MONOTONIC") }
        #expect(words == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "STOPPING=1"])
    }
}
