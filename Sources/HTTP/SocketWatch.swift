private import CCurl
import Glibc
import Mailbox

/// The sockets of one multi handle and its wake-up, in an epoll(7) set that is changed seldom.
///
/// libcurl gives a kept connection up at the end of each transfer and asks for it again with the
/// next. The set leaves such a socket in, because libcurl says when it closes it, and takes it out
/// only when something arrives that nobody waits for.
///
/// Threading: belongs to the driver's thread, except ``wake()``.
final class SocketWatch {
    /// What is waited for, or what has come.
    struct Readiness: OptionSet {
        let rawValue: UInt32
        static let reading = Readiness(rawValue: watch_in)
        static let writing = Readiness(rawValue: watch_out)
    }

    private struct Watched {
        /// What libcurl waits for.
        var wanted: Readiness = []
        /// What the set was told.
        var told: Readiness = []
        /// Whether it was opened through the guard, so that its end will be told.
        var isGuarded = false
    }

    private let descriptor: Int32
    private let wakeup: Wakeup
    /// By descriptor, which Linux keeps small.
    private var sockets: [Watched] = []
    private var ready = [watch_ready](repeating: watch_ready(), count: 64)

    init() {
        descriptor = watch_new()
        precondition(descriptor >= 0, "epoll_create1 failed with errno \(errno)")
        wakeup = Wakeup()
        // By its edge: then nobody has to read it empty.
        let code = watch_set(
            descriptor, wakeup.descriptor, 0, watch_in | watch_edge)
        precondition(code == 0, "epoll_ctl failed with errno \(errno)")
    }

    deinit { Glibc.close(descriptor) }

    /// Ends the current or the next wait at once; from any thread.
    func wake() { wakeup.signal() }

    /// Notes a socket that was opened through the guard.
    func noteOpened(_ socket: Int32) {
        makeRoom(socket)
        sockets[Int(socket)] = Watched(isGuarded: true)
    }

    /// Closes a socket that was opened through the guard.
    func close(_ socket: Int32) {
        change(socket) { watched in
            watched.wanted = []
            watched.isGuarded = false
        }
        Glibc.close(socket)
    }

    /// Waits for something else, or with nothing for nothing.
    func watch(_ socket: Int32, for wanted: Readiness) {
        change(socket) { $0.wanted = wanted }
    }

    private func change(_ socket: Int32, _ body: (inout Watched) -> Void) {
        makeRoom(socket)
        body(&sockets[Int(socket)])
        let watched = sockets[Int(socket)]
        let stays = watched.isGuarded && watched.wanted.isEmpty && watched.told == .reading
        if !stays { tell(socket) }
    }

    private func makeRoom(_ socket: Int32) {
        while sockets.count <= Int(socket) { sockets.append(Watched()) }
    }

    /// Makes the set agree with what is wanted.
    ///
    /// A socket that was closed behind our back has left the set; should the kernel refuse a
    /// socket, its transfer ends with its time.
    private func tell(_ socket: Int32) {
        let (wanted, told) = (sockets[Int(socket)].wanted, sockets[Int(socket)].told)
        guard told != wanted else { return }
        var code = watch_set(descriptor, socket, told.rawValue, wanted.rawValue)
        if code != 0, !told.isEmpty, !wanted.isEmpty {
            code = watch_set(descriptor, socket, 0, wanted.rawValue)
        }
        sockets[Int(socket)].told = code == 0 ? wanted : []
    }

    /// Sleeps until a socket is ready, ``wake()`` is called or the time is up.
    ///
    /// A failed or closed socket is ready for all that is waited for: the attempt will say what is
    /// wrong.
    func wait(upToMilliseconds milliseconds: Int32, _ body: (Int32, Readiness) -> Void) {
        let count = unsafe watch_wait(descriptor, &ready, milliseconds)
        for index in 0..<max(0, Int(count)) {
            let socket = ready[index].descriptor
            guard socket != wakeup.descriptor else { continue }
            let wanted = sockets[Int(socket)].wanted
            guard !wanted.isEmpty else {
                tell(socket)
                continue
            }
            let come = Readiness(rawValue: ready[index].events).intersection([.reading, .writing])
            body(socket, come.isEmpty ? wanted : come)
        }
    }
}
