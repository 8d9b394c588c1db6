// SPDX-License-Identifier: Apache-2.0
#include "asker.h"

#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "coded_error.h"

namespace netvitals_native {

Asker::Asker() {
    // Without a way back the first visit elsewhere would be for good.
    if (!visits_.knows_home())
        throw CodedError("ERR_CONNTRACK", std::string("opening /proc/thread-self/ns/net: ") + strerror(errno));
}

Asker::~Asker() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Asker::push(Command command) {
    try {
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        throw CodedError("ERR_CONNTRACK",
                         std::string("starting the thread that asks connection tracking: ") + error.what());
    }
    {
        std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
    }
    changed_.notify_one();
}

void Asker::run() {
    pthread_setname_np(pthread_self(), "netvitals-ask");
    for (Command command; next_command(&command);) {
        if (command.kind == Command::release) {
            sockets_.erase(command.id);
            continue;
        }
        auto message = std::make_unique<Message>();
        if (command.kind == Command::open)
            open(command, message.get());
        else
            answer_all(command.requests, message.get());
        deliver_(std::move(message));
    }
}

// Waits for it; false when the thread is to end.
bool Asker::next_command(Command* command) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !commands_.empty(); });
    if (stopping_) return false;
    *command = std::move(commands_.front());
    commands_.pop_front();
    return true;
}

void Asker::open(const Command& command, Message* message) {
    message->ending.id = command.id;
    message->ending.value = command.id;
    if (const int error = visits_.enter(command.netns)) {
        message->ending.code = setns_code(error);
        message->ending.error = std::string("setns(): ") + strerror(error);
        return;
    }
    sockets_.emplace(command.id, CtSocket());
    visits_.leave();
}

void Asker::answer_all(const std::vector<ConntrackRequest>& requests, Message* message) {
    message->answers.reserve(requests.size());
    for (const ConntrackRequest& request : requests) {
        // Who closes waits for this thread, and for nothing that a slow kernel still has to say.
        if (stopping_) return;
        message->answers.push_back(answer(request));
    }
}

ConntrackAnswer Asker::answer(const ConntrackRequest& request) {
    Tuple tuple{request.family, request.source_port, request.destination_port, {}, {}};
    memcpy(tuple.source, request.source, sizeof(tuple.source));
    memcpy(tuple.destination, request.destination, sizeof(tuple.destination));
    Endpoint answered;
    int error = ENOENT;
    for (const uint32_t handle : {request.first, request.second}) {
        auto socket = sockets_.find(handle);
        if (socket == sockets_.end()) continue;
        const int result = socket->second.lookup(tuple, &answered);
        if (result == 0 || error == ENOENT) error = result;
        if (result == 0) break;
    }
    ConntrackAnswer out{request.token, error, answered.port, {}, {}};
    memcpy(out.address, answered.address, sizeof(out.address));
    return out;
}

}  // namespace netvitals_native
