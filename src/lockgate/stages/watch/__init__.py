"""What has the world done to it?"""
