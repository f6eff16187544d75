"""Conversations, votes and the roads to the engines that answer, without torch and without Gradio."""
