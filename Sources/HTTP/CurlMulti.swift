internal import CCurl

/// libcurl's multi handle: the connection pool of one driver, moved on by what its sockets say.
///
/// `curl_multi_perform` looks at every transfer each time, with a system call for each; here only
/// those are touched whose socket is ready or whose time has come.
///
/// Threading: every method belongs to the driver's thread, except ``wake()``, which may be called
/// from any. Ownership: freed in `deinit`, when the driver has ended and no waker holds it.
/// See libcurl-multi(3), curl_multi_socket_action(3), curl_multi_timeout(3).
@safe
final class CurlMulti: @unchecked Sendable {
    // Invariant: a live handle from init to deinit; only `wake` is called off the driver's thread.
    private let handle: UnsafeMutableRawPointer
    /// Lives as long as the handle, which knows it by an unretained pointer.
    let sockets = SocketWatch()

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    init(limits: HTTPLimits) {
        precondition(Self.isReady, "curl_global_init failed")
        guard let handle = unsafe curl_multi_init() else {
            preconditionFailure("curl_multi_init failed: out of memory")
        }
        unsafe self.handle = handle
        unsafe curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, limits.maximumInFlight)
        unsafe curl_multi_set_long(
            handle, CURLMOPT_MAX_HOST_CONNECTIONS, limits.maximumConnectionsPerHost)
        let code = unsafe curl_multi_set_watcher(
            handle,
            { _, socket, action, context, _ in
                guard let context = unsafe context else { return 0 }
                let sockets = unsafe Unmanaged<SocketWatch>.fromOpaque(context)
                    .takeUnretainedValue()
                sockets.watch(socket, for: CurlMulti.readiness(action))
                return 0
            }, Unmanaged.passUnretained(sockets).toOpaque())
        precondition(code == CURLM_OK, "curl_multi_setopt failed with \(code.rawValue)")
    }

    deinit { unsafe curl_multi_cleanup(handle) }

    private static func readiness(_ action: Int32) -> SocketWatch.Readiness {
        switch action {
        case CURL_POLL_IN: .reading
        case CURL_POLL_OUT: .writing
        case CURL_POLL_INOUT: [.reading, .writing]
        default: []
        }
    }

    func add(_ easy: CurlEasy) {
        let code = unsafe easy.withHandle { unsafe curl_multi_add_handle(handle, $0) }
        precondition(code == CURLM_OK, "curl_multi_add_handle failed with \(code.rawValue)")
    }

    func remove(_ easy: CurlEasy) {
        let code = unsafe easy.withHandle { unsafe curl_multi_remove_handle(handle, $0) }
        precondition(code == CURLM_OK, "curl_multi_remove_handle failed with \(code.rawValue)")
    }

    /// Moves on every transfer whose time has come, new ones among them, and calls `finished` with
    /// each that is over.
    func moveOn(finished: (_ place: Int, _ code: CURLcode) -> Void) {
        if pause == 0 { act(CURL_SOCKET_TIMEOUT, 0) }
        report(finished)
    }

    /// Sleeps until a socket is ready, ``wake()`` is called, or the time is up; then moves on the
    /// transfers whose socket it is, and calls `finished` with each that is over.
    func wait(
        upToMilliseconds milliseconds: Int32, finished: (_ place: Int, _ code: CURLcode) -> Void
    ) {
        sockets.wait(upToMilliseconds: min(milliseconds, pause ?? milliseconds)) { socket, ready in
            var mask: Int32 = 0
            if ready.contains(.reading) { mask |= CURL_CSELECT_IN }
            if ready.contains(.writing) { mask |= CURL_CSELECT_OUT }
            act(socket, mask)
        }
        report(finished)
    }

    /// Milliseconds until a transfer's time has come; `nil` when none waits for time.
    private var pause: Int32? {
        var milliseconds = 0
        let code = unsafe curl_multi_timeout(handle, &milliseconds)
        precondition(code == CURLM_OK, "curl_multi_timeout failed with \(code.rawValue)")
        return milliseconds < 0 ? nil : Int32(clamping: milliseconds)
    }

    private func act(_ socket: curl_socket_t, _ mask: Int32) {
        var running: Int32 = 0
        let code = unsafe curl_multi_socket_action(handle, socket, mask, &running)
        precondition(code == CURLM_OK, "curl_multi_socket_action failed with \(code.rawValue)")
    }

    private func report(_ finished: (_ place: Int, _ code: CURLcode) -> Void) {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(handle, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            // Read before the call: the message is gone when the handle is taken out.
            let place = unsafe curl_get_place(message.pointee.easy_handle)
            let code = unsafe message.pointee.data.result
            finished(place, code)
        }
    }

    /// Ends the current or the next wait at once; from any thread.
    func wake() { sockets.wake() }
}
